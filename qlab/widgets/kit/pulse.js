// A line that is empty while the kernel runs that made the widgets around it. When that has stopped,
// the line says so, and controls that nobody listens to look and act as if they were off. While it
// runs, the controls around have their names and keys, and what is of a setting before is greyed.
export default () => {
  const OVER = ["restarting", "autorestarting", "terminating", "dead"];
  const views = new Set();
  let stopped = false;

  function stop() {
    stopped = true;
    views.forEach((follow) => follow());
  }

  return {
    initialize({ model }) {
      const manager = model.widget_manager;
      const session = manager.context?.sessionContext ?? manager.kernel;
      const status = (_, now) => OVER.includes(now) && stop();
      const change = (_, { oldValue }) => oldValue && stop();
      saveWhatIsShown(manager);
      greyWhatIsOfBefore(manager.kernel, manager);
      keepKeys();
      session?.statusChanged?.connect(status);
      session?.kernelChanged?.connect(change);
      return () => {
        session?.statusChanged?.disconnect(status);
        session?.kernelChanged?.disconnect(change);
      };
    },

    render({ model, el }) {
      const watch = new MutationObserver(() => follow()); // controls may come after this line
      const size = new ResizeObserver(() => follow()); // and it may be on no page yet
      function follow() {
        const home = el.parentElement;
        if (!home) return;
        nameControls(home);
        watch.observe(home, { childList: true, subtree: true });
        if (!stopped && !el.classList.contains("jupyter-widgets-disconnected")) return;
        if (!el.textContent) el.append(model.get("words"));
        home.classList.add("qlab-dead");
        for (const control of home.querySelectorAll("input, select, button, .noUi-target"))
          control.setAttribute("disabled", "");
        for (const part of home.querySelectorAll("summary, .noUi-handle")) part.inert = true;
      }
      el.setAttribute("role", "note"); // a page has many of these: they are not all read aloud
      model.on("comm_live_update", follow);
      size.observe(el);
      views.add(follow);
      follow();
      return () => {
        views.delete(follow);
        watch.disconnect();
        size.disconnect();
      };
    },
  };
};

// JupyterLab saves all widgets of a kernel that runs, and forgets others, though they were read from
// the notebook and are shown. With this it saves what the outputs of cells refer to, and links.
function saveWhatIsShown(manager) {
  const [own, notebook] = [manager.get_state_sync, manager.context?.model];
  if (!own || own.isOurs || !notebook?.toJSON || !manager._modelsSync) return;
  const VIEW = "application/vnd.jupyter.widget-view+json";

  manager.get_state_sync = (options) => {
    const models = [...manager._modelsSync];
    const asLive = ([id, model]) => [id, Object.create(model, { comm_live: { value: true } })];
    const saved = own.call({ _modelsSync: new Map(models.map(asLive)) }, options);
    const kept = {};
    const keep = (id) => {
      if (!id || id in kept || !(id in saved.state)) return;
      kept[id] = saved.state[id];
      const text = JSON.stringify(kept[id].state);
      for (const [, other] of text.matchAll(/(?:IPY_MODEL_|"model_id":")([\w-]+)/g)) keep(other);
    };
    for (const [id, model] of models)
      if (model.comm_live && model.name.endsWith("LinkModel")) keep(id);
    for (const cell of notebook.toJSON().cells)
      for (const output of cell.outputs ?? []) keep(output.data?.[VIEW]?.model_id);
    return { ...saved, state: kept };
  };
  manager.get_state_sync.isOurs = true;
}
