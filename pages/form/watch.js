// Whether the place is closed, is going to be, or is back: asked seldom, by one tab for all.

/** @typedef {{ state: string, service?: string, starts_at: string | null, ends_at: string | null, poll_after_ms?: number, keeps?: boolean,
 *   off?: boolean, csrf?: string[], never?: string[],
 *   next: { starts_at: string, ends_at: string | null, maintenance: string } | null }} State */

const SHUT = ['closed', 'read_only', 'overrun', 'verifying', 'reopening'];
// Milliseconds. A page that is left open must not weigh on the site.
const SOONEST = 2e3, LATEST = 3e5, USUAL = 3e4, ASK_MS = 1e4;

let fails = 0, timer = 0, leading = false, toldAt = 0;
/** @type {(() => void) | undefined} */
let yieldLead;
/** @type {BroadcastChannel | undefined} */
let tabs;

/** @param {State} state */
const isShut = (state) => SHUT.includes(state.state);

/** The state of a path, or nothing if it cannot be asked for. @param {string} path @returns {Promise<State | null>} */
const ask = async (path) => {
  const query = `?m=POST&p=${encodeURIComponent(path)}`;
  try {
    if (im.how === 'module') return (await import(`/.intermission/v1/state.mjs${query}&t=${Date.now()}`)).default;
    if (im.how) return null;
    const answer = await fetch('/.intermission/v1/state' + query, {
      cache: 'no-store', credentials: 'same-origin', headers: { accept: 'application/json' }, signal: AbortSignal.timeout(ASK_MS),
    });
    if (!answer.ok) return null;
    const ahead = Date.parse(answer.headers.get('date') || '') - Date.now();
    // The date has whole seconds.
    im.skew = Math.abs(ahead) > 2000 ? ahead : 0;
    return await answer.json();
  } catch {
    return null;
  }
};

/** Milliseconds from now until a moment of the server's clock. @param {string} at */
const away = (at) => Date.parse(at) - im.skew - Date.now();

const plan = () => {
  clearTimeout(timer);
  if (!leading || document.hidden || im.stopped) return;
  let wait = Math.max(SOONEST, im.told?.poll_after_ms || USUAL) * 2 ** Math.min(fails, 6);
  const edge = im.told?.next ? away(im.told.next.starts_at) : -1;
  if (edge > 0) wait = Math.min(wait, Math.max(edge / 2, SOONEST) + Math.random() * 2e3);
  timer = setTimeout(look, Math.min(wait, LATEST));
};

const look = async () => {
  clearTimeout(timer);
  const now = await ask(location.pathname);
  fails = now ? 0 : fails + 1;
  if (now) {
    tabs?.postMessage(now);
    hear(now);
  }
  plan();
};

/** One of the tabs that are seen asks for all; where tabs cannot agree, each asks alone. */
const lead = () => {
  if (leading || document.hidden || im.stopped || !watching) return;
  const begin = () => {
    leading = true;
    if (Date.now() - toldAt > SOONEST) look();
    else plan();
  };
  if (!navigator.locks || !tabs) return begin();
  navigator.locks.request(OURS + im.route, () => new Promise((/** @type {(value?: unknown) => void} */ release) => {
    if (document.hidden || im.stopped) return release();
    yieldLead = release;
    begin();
  })).catch(begin);
};

const rest = () => {
  leading = false;
  clearTimeout(timer);
  yieldLead?.();
  yieldLead = undefined;
};

let watching = false;
/** Watching begins where there is something to lose. */
const watch = () => {
  if (watching || im.stopped) return;
  watching = true;
  tabs = typeof BroadcastChannel === 'function' ? new BroadcastChannel(OURS + im.route) : undefined;
  if (tabs) tabs.onmessage = (event) => hear(event.data);
  setTimeout(lead, Math.random() * 500);
};

/** @param {State} now */
const hear = (now) => {
  if (im.stopped) return;
  if (now.off) return quit();
  im.told = now;
  toldAt = Date.now();
  im.never = [...(now.never || []), ...(now.csrf || [])];
  const was = im.mode;
  im.mode = isShut(now) ? 'closed' : now.next ? 'announced' : 'open';
  const end = im.mode === 'closed' ? now.ends_at : now.next?.ends_at;
  im.promoted = im.mode !== 'open';
  im.until = im.promoted ? Math.max(Date.now(), end ? Date.parse(end) - im.skew : 0) + (end ? 24 : 48) * HOUR : 0;
  if (im.promoted) {
    save();
    promote();
  }
  if (im.promoted || was !== im.mode) more((they) => they.show(was, end || null));
};
