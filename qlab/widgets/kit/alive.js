// What controls do while their kernel runs; `pulse.js` calls it.

// A slider has the name of its box, and says its value and not its index; radio buttons are a group,
// in which the arrow keys move.
function nameControls(home) {
  const set = (part, name, value) =>
    value && part.getAttribute(name) !== value && part.setAttribute(name, value);
  for (const handle of home.querySelectorAll(".qlab-control .noUi-handle")) {
    set(handle, "title", handle.closest(".qlab-control").querySelector("label").textContent);
    const said = handle.closest(".widget-slider").querySelector(".widget-readout").textContent;
    set(handle, "aria-valuetext", said);
  }
  for (const table of home.querySelectorAll(".qlab-numbers")) {
    table.tabIndex = 0; // so that the arrow keys scroll it, when it is open
    set(table, "role", "region");
    set(table, "aria-label", "The numbers in this picture");
  }
  for (const group of home.querySelectorAll(".widget-radio-box")) {
    set(group, "role", "radiogroup");
    set(group, "aria-label", home.querySelector(".qlab-asked")?.textContent);
    const buttons = group.querySelectorAll("input");
    const name = buttons[0]?.name || `qlab-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
    for (const button of buttons) set(button, "name", name);
  }
}

// A key that is pressed on a control is the control's: the page would move to another cell, or cut
// this one. Keys with Ctrl, Alt or Meta, Shift with Enter, and Escape are still the page's.
function keepKeys() {
  if (window.qlabKeys) return;
  window.qlabKeys = true;
  const HOMES = ":is(.qlab-explorer, .qlab-prediction, .qlab-quiz, .qlab-board)";
  const once = (event) => event.detail > 1 && event.target.closest(`${HOMES} button`) &&
    event.stopImmediatePropagation(); // who clicks twice means one press
  window.addEventListener("click", once, true);
  const hear = (event) => {
    const { target, key, shiftKey, ctrlKey, altKey, metaKey } = event;
    if (!target.matches?.(`${HOMES} *`)) return;
    const pages = ctrlKey || altKey || metaKey || key === "Escape" || (shiftKey && key === "Enter");
    target.toggleAttribute("data-lm-suppress-shortcuts", !pages);
  };
  window.addEventListener("keydown", hear, true); // before the page, which listens at the document
}

// From the message that a moved control sends, until the kernel has done with it, what its explorer
// shows is of other settings; and a button that was pressed looks so.
function greyWhatIsOfBefore(kernel, manager) {
  if (!kernel?.anyMessage || kernel.qlabHeard) return;
  kernel.qlabHeard = true;
  const waiting = new Map(); // by the id of a message, the parts that its answer changes
  const PART = {
    update: (el) => el.closest(".qlab-control")?.closest(".qlab-explorer"),
    custom: (el) => (el.matches("button") ? el : null),
  };

  async function sent({ header, content }) {
    const part = header.msg_type === "comm_msg" && PART[content.data?.method];
    if (!part) return;
    waiting.set(header.msg_id, []);
    const model = manager._modelsSync?.get(content.comm_id);
    const views = await Promise.all(Object.values(model?.views ?? {}));
    const parts = views.map((view) => part(view.el)).filter(Boolean);
    if (parts.length && waiting.has(header.msg_id)) waiting.set(header.msg_id, parts);
    else waiting.delete(header.msg_id);
    for (const one of waiting.get(header.msg_id) ?? []) one.classList.add("qlab-moved");
  }

  function done(id) {
    const parts = waiting.get(id) ?? [];
    waiting.delete(id);
    const rest = () => [...waiting.values()].flat();
    setTimeout(() => {
      for (const part of parts) if (!rest().includes(part)) part.classList.remove("qlab-moved");
    }); // after what the page held back while the kernel was busy is on its way
  }

  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction === "send") sent(msg);
    else if (msg.header.msg_type === "status" && msg.content.execution_state === "idle")
      done(msg.parent_header?.msg_id);
  });
}
