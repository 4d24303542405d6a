// What plain ipywidgets cannot do in the browser. Each part is a function that makes an anywidget:
// `initialize` runs once for a widget, `render` once for each place on the page that shows it.
// The words come from the kernel as text and are put on the page as text, never as HTML.

function make(tag, content, attributes = {}) {
  const element = document.createElement(tag);
  element.append(...[content].flat());
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// A file to take away. The widget holds it, so that its link works wherever it is shown, but only
// the message "save" saves it: once, however many places show it, and not when a page is loaded
// again. Its words come a moment after their place, so that a screen reader says them.
function file() {
  let address; // of the bytes, in this page

  function link(model) {
    const name = model.get("name");
    return make("a", name, { download: name, href: address });
  }

  return {
    initialize({ model }) {
      address = URL.createObjectURL(new Blob([model.get("data")]));
      model.on("msg:custom", (message) => message === "save" && link(model).click());
      return () => URL.revokeObjectURL(address);
    },

    render({ model, el }) {
      const words = model.get("words").map(([tag, text]) => (tag ? make(tag, text) : text));
      el.setAttribute("role", "status");
      setTimeout(() => el.append(...(model.get("name") ? [link(model), " "] : []), ...words), 50);
    },
  };
}

// Places on a picture that tell more while the pointer or the focus is on them, until Escape.
function places() {
  function place({ x, y, lines, focus }) {
    const [title, ...rest] = lines;
    const text = make("div", [make("b", title), ...rest.flatMap((line) => [make("br", []), line])]);
    const item = make("li", text, { role: "img", "aria-label": lines.join(". ") });
    item.style.left = `${100 * x}%`;
    item.style.top = `${100 * y}%`;
    item.classList.toggle("qlab-left", x > 0.6); // the text opens towards the middle
    item.classList.toggle("qlab-up", y > 0.5);
    if (focus) item.tabIndex = 0;
    return item;
  }

  return {
    render({ model, el }) {
      const titled = (item) => item?.querySelector("b").textContent;
      const draw = () => {
        const before = titled(el.querySelector("li:focus"));
        const closed = el.classList.contains("qlab-closed");
        const items = model.get("places").map(place);
        el.replaceChildren(make("ul", items));
        if (before) items.find((item) => titled(item) === before)?.focus({ preventScroll: true });
        el.classList.toggle("qlab-closed", closed); // which the focus has opened
      };
      const close = ({ key }) => key === "Escape" && el.classList.add("qlab-closed");
      const open = () => el.classList.remove("qlab-closed");
      el.addEventListener("mouseover", open);
      el.addEventListener("focusin", open);
      window.addEventListener("keydown", close, true);
      model.on("change:places", draw);
      draw();
      return () => window.removeEventListener("keydown", close, true);
    },
  };
}

// Images side by side that are one picture with one name; each is put on the page when it is new.
function picture() {
  return {
    render({ model, el }) {
      const draw = () => {
        const widths = model.get("widths");
        const waiting = model.get("waiting");
        const sum = (list) => list.reduce((total, width) => total + width, 0);
        const whole = sum(widths);
        const left = (100 * sum(widths.slice(0, waiting[0]))) / whole;
        el.style.setProperty("--qlab-waiting", `${left}%`);
        el.title = model.get("alt");
        el.classList.toggle("qlab-measuring", model.get("measuring"));
        el.style.aspectRatio = `${whole} / ${model.get("height")}`;
        widths.forEach((width, i) => {
          const image = el.children[i] ?? el.appendChild(make("img", [], { alt: "" }));
          const bytes = model.get(`panel_${i}`);
          image.style.width = `${(100 * width) / whole}%`;
          image.classList.toggle("qlab-waiting", waiting.includes(i));
          if (image.bytes === bytes) return;
          image.bytes = bytes;
          URL.revokeObjectURL(image.src);
          image.src = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
        });
      };
      el.setAttribute("role", "img");
      model.on("change", draw);
      draw();
    },
  };
}

// Words that open and close the row below them.
function reveal() {
  return {
    render({ model, el }) {
      const summary = make("summary", model.get("words"));
      const details = make("details", summary, { class: "qlab-reveal" });
      const follow = () => (details.open = model.get("opened"));
      details.addEventListener("toggle", () => {
        model.set("opened", details.open);
        model.save_changes();
      });
      model.on("change:opened", follow);
      follow();
      el.append(details);
    },
  };
}

const PARTS = { file, places, picture, reveal };

export default () => {
  let part;
  return {
    initialize(context) {
      part = PARTS[context.model.get("part")]();
      return part.initialize?.(context);
    },
    render: (context) => part.render(context),
  };
};
