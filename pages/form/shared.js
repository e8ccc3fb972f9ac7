// What the parts of the script share. Those of this folder are one script, which goes into every page;
// those of `more/` are one module, loaded when there is something to put back or to say.

/** @typedef {'open' | 'announced' | 'closed'} Mode */

const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);

const im = {
  source: script?.src || '',
  route: script?.dataset.im || '',
  /** How the state is asked for: with `fetch`, or as a `module`, or `none`, as the page's policy allows. */
  how: script?.dataset.imAsk || '',
  /** @type {Mode} */
  mode: 'open',
  /** What was told last. @type {State | undefined} */
  told: undefined,
  /** The server's clock less this device's, in milliseconds. */
  skew: 0,
  /** Whether drafts go to the device, and until when they stay there. */
  promoted: false,
  until: 0,
  /** Names of fields that the route never keeps, and of its tokens. @type {string[]} */
  never: [],
  /** While we fill fields, what we hear are our own events. */
  placing: false,
  /** Whether something typed is kept nowhere. */
  unkept: false,
  /** Whether the bar is ours to show: in a frame the page around it has one. */
  speaks: true,
  leaving: false,
  stopped: false,
  /** The element of the bar. @type {HTMLElement | null} */
  host: null,
  /** The submit that a script of the page may be carrying out. @type {{ form: HTMLFormElement, at: number } | undefined} */
  awaited: undefined,
};
const controller = new AbortController();
