"""The explorers' CSS: JupyterLab's own colours, so that light and dark themes both work."""

CSS = """
.jupyter-widgets.qlab-explorer { max-width: 960px; overflow: visible; padding: 4px 2px; }
.qlab-explorer .jupyter-widgets { overflow: visible; }
.qlab-question { font-size: 15px; font-weight: 600; line-height: 1.4;
  color: var(--jp-ui-font-color1); }

.jupyter-widgets.qlab-controls { display: grid; gap: 6px 16px; margin: 6px 2px 4px;
  grid-template-columns: repeat(auto-fit, minmax(172px, 1fr)); align-items: start; }
.jupyter-widgets.qlab-control { min-width: 0; }
.qlab-control .widget-label { width: auto; flex: 1 1 auto; text-align: left; font-weight: 600;
  font-size: 12px; color: var(--jp-ui-font-color1); overflow: visible; white-space: normal;
  height: auto; min-width: 0; line-height: 1.25; }
.qlab-control .widget-inline-hbox { height: auto; min-height: 28px; align-items: center; }
.qlab-control.qlab-control > .jupyter-widgets { margin: 0; }
.qlab-control select, .qlab-control input[type="number"] { flex: 0 0 62px; min-width: 62px;
  height: 28px;
  padding-left: 6px;
  font-variant-numeric: tabular-nums; }
.qlab-control.qlab-wide input[type="number"] { flex: 0 0 86px; }
.qlab-control.qlab-choice > .widget-dropdown { flex-direction: column; align-items: stretch;
  height: auto; }
.qlab-control.qlab-choice select { flex: 0 0 28px; width: 100%; }
body[data-jp-theme-light="false"] .qlab-control select { background-image: url("data:image/svg+xml,\
<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'><path d='M5 7l4 4 4-4' fill='none' \
stroke='white' stroke-width='1.6'/></svg>"); }
.qlab-control .widget-hslider .slider-container { margin: 0 8px; }
.qlab-model-row { align-items: center; flex-flow: row wrap; gap: 0 16px; margin: 6px 2px 0; }
.qlab-model-row .qlab-control.qlab-choice > .widget-dropdown { flex-direction: row;
  align-items: center; gap: 8px; width: auto; }
.qlab-model-row .qlab-control.qlab-choice select { flex: 0 0 190px; width: 190px; }
.qlab-model-row > .widget-html { flex: 1 1 260px; }
.qlab-model-row .qlab-notes { line-height: 1.25; }
.qlab-explorer:is(.qlab-busy, .qlab-moved, .qlab-computing, .qlab-failed, :has(.qlab-waiting))
  :is(.qlab-readout, .qlab-notes-row, .qlab-below, .qlab-numbers),
.qlab-explorer:is(.qlab-busy, .qlab-moved, .qlab-computing, .qlab-failed) .qlab-picture > img,
.qlab-picture > img.qlab-waiting { opacity: 0.45; }
.qlab-moved .qlab-picture > img { transition: opacity 0s 0.1s; }
.qlab-picture, .qlab-readout-row { position: relative; }
.qlab-measuring::after, .qlab-explorer:is(.qlab-busy, .qlab-moved, .qlab-computing,
  :has(.qlab-measuring)) .qlab-readout-row::after {
  content: "measuring"; position: absolute; font-size: 13px; font-weight: 600; }
.qlab-measuring::after { left: var(--qlab-waiting); margin: 5% 0 0 12%; color: #222; }
.qlab-explorer .qlab-readout-row::after { right: 4px; bottom: 4px;
  color: var(--jp-ui-font-color1); }
.qlab-explorer :focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 2px; }

.qlab-readout { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, auto));
  gap: 6px 26px; padding: 8px 0; margin: 2px; line-height: 1.4; font-size: 13px;
  color: var(--jp-ui-font-color1); font-variant-numeric: tabular-nums;
  border-top: 1px solid var(--jp-border-color2);
  border-bottom: 1px solid var(--jp-border-color2); }
.qlab-readout:has(> :nth-child(6)) {
  grid-template-columns: repeat(auto-fit, minmax(190px, auto)); }
.qlab-readout .qlab-name { color: var(--jp-ui-font-color1); font-weight: 600; font-size: 12px; }
.qlab-readout .qlab-value { font-size: 21px; font-weight: 600; line-height: 1.3;
  white-space: nowrap; }
.qlab-readout .qlab-value small { font-size: 13px; white-space: normal; }
.qlab-readout .qlab-small { font-size: 12px; color: var(--jp-ui-font-color1); }
.qlab-readout table.qlab-sizes :is(th, td) { padding: 0 10px 0 0; line-height: 1.35;
  font-size: 12px; font-weight: 400; text-align: left; border: 0; }
.qlab-readout table.qlab-sizes td.qlab-number { text-align: right; padding-right: 8px; }
.qlab-badge { display: inline-block; border-radius: 9px; padding: 0 8px; font-size: 11px;
  font-weight: 600;
  line-height: 17px; border: 1px solid currentColor; white-space: nowrap; }
.qlab-badge:focus-visible { position: relative; }
.qlab-badge:focus-visible::after { content: attr(title); position: absolute; z-index: 9; left: 0;
  top: 120%; width: 240px; padding: 4px 8px; white-space: normal; font-style: normal;
  color: var(--jp-ui-font-color1); background: var(--jp-layout-color1);
  border: 1px solid var(--jp-border-color1); }
.qlab-badge-measured { background: var(--jp-layout-color2); }
.qlab-badge-cached { border-style: dashed; }
.qlab-badge-simulated { border-style: dotted; font-style: italic; }

.jupyter-widgets.qlab-picture { display: flex; width: 100%; max-width: 900px; margin: 6px 2px;
  align-self: flex-start; mix-blend-mode: multiply; }
.qlab-picture > img { flex: none; max-width: none; }
body[data-jp-theme-light="false"] .qlab-picture {
  filter: invert(1) hue-rotate(180deg) brightness(1.25); mix-blend-mode: screen; }

.qlab-control.qlab-choice > .widget-textarea { flex-direction: column; align-items: stretch;
  height: auto; }
.qlab-control.qlab-choice textarea { width: 100%; font-family: var(--jp-code-font-family); }
.qlab-texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr));
  gap: 8px 20px; margin: 6px 2px; }
.qlab-texts .qlab-name { font-weight: 600; font-size: 12px; }
.qlab-text { height: 220px; overflow: auto; padding: 6px 8px; white-space: pre-wrap;
  font: 12px/1.5 var(--jp-code-font-family); color: var(--jp-ui-font-color0);
  border: 1px solid var(--jp-border-color2); }
.qlab-prompt { font-weight: 700; }
.qlab-surprise-1 { background: rgba(230, 159, 0, 0.14); }
.qlab-surprise-2 { background: rgba(230, 159, 0, 0.28); }
.qlab-surprise-3 { background: rgba(230, 159, 0, 0.42); text-decoration: underline dotted; }
.qlab-surprise-4 { background: rgba(230, 159, 0, 0.55); text-decoration: underline; }
.qlab-parting { font-weight: 700; }

.qlab-notes { font-size: 12px; line-height: 1.5; color: var(--jp-ui-font-color1); }
.qlab-alert { margin: 6px 2px; padding: 8px 12px; line-height: 1.5; font-size: 13px;
  color: var(--jp-ui-font-color0); background: var(--jp-layout-color2);
  border-left: 4px solid var(--jp-error-color1); }
.jupyter-widgets.qlab-actions { display: flex; flex-flow: row wrap; gap: 6px 12px;
  align-items: center;
  margin: 2px; }
.qlab-actions .jupyter-button { width: auto; margin: 0; padding: 0 12px; }
.qlab-explorer details.qlab-reveal > summary { cursor: pointer; font-size: 12px;
  line-height: 22px;
  color: var(--jp-ui-font-color1); width: fit-content; }
@supports selector(:has(a)) { .qlab-numbers, .qlab-more.qlab-controls { display: none; }
  .qlab-reveal-row:has(details[open]) + .qlab-more.qlab-controls { display: grid; }
  .qlab-reveal-row:has(details[open]) + .qlab-numbers { display: block; } }
.jupyter-widgets.qlab-numbers { max-height: 320px; overflow: auto; }
.qlab-numbers .widget-html-content { display: flex; flex-flow: row wrap; gap: 8px 28px;
  align-items: start; }
.qlab-numbers table { font-size: 12px; line-height: 1.5; border-collapse: collapse;
  color: var(--jp-ui-font-color1); font-variant-numeric: tabular-nums; }
.qlab-numbers caption { font-weight: 600; text-align: left; padding: 4px 0; color: inherit; }
.qlab-numbers th, .qlab-numbers td { padding: 1px 14px 1px 0; text-align: right;
  font-weight: 400; }
.qlab-numbers th { font-weight: 600; border-bottom: 1px solid var(--jp-border-color1); }
.qlab-numbers th:first-child, .qlab-numbers td:first-child { text-align: left; }
"""

STYLE = f"<style>{CSS}</style>"
