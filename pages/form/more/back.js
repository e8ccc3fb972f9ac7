// Puts back what was typed, when its field is there, and says so; and says how the place is.

// Late fields are awaited this long, in milliseconds; a page that changes is looked at when it is calm.
const LATE_MS = 3e4, CALM_MS = 150;
// A page that was asked for within this many milliseconds of a submit is the answer to it.
const ANSWER_MS = 3000;

/** What was put back, to undo it. @type {{ el: HTMLElement, was: Value }[]} */
let placed = [];
/** Drafts that are being put back, by key. @type {Map<string, { values: Record<string, Value>, all: number }>} */
const jobs = new Map();
/** Drafts that the visitor said what to do with. @type {Set<string>} */
const settled = new Set();
/** What was saved for later and is wanted in this page. @type {{ action: string, fields: { name: string, value?: string, file?: string }[] } | undefined} */
let kept;
/** What the server says of it in this page. @type {Element | null} */
let note = null;
/** The fields that were given something of it, each once. @type {Set<string>} */
const served = new Set();
/** The form that the server put answers into. */
const filled = () => document.querySelector(`[${FILLED}]:not([${FILLED}="0"])`);

/** How this page came. @type {any[]} */
const [entry] = performance.getEntriesByType('navigation');

/** Looks at what the last submit of this tab became: its answer is this page, or it was one without us,
 * the maintenance page for example. */
const settle = () => {
  const here = new Set([...groups().values()].map((group) => draftKey(group.key)));
  for (const key of keysIn(inTab)) {
    const draft = key.startsWith(DRAFT) && take(inTab, key);
    if (!draft || !draft.sent) continue;
    const isAnswer = Math.abs(performance.timeOrigin - draft.sent) < ANSWER_MS;
    if (isAnswer && !(entry?.responseStatus >= 400) && !here.has(key)) drop(key);
  }
};

/** Puts back what a form lacks; what it has no field for stays in `values`.
 * @param {Group} group @param {Record<string, Value>} values */
const place = (group, values) => {
  for (const { el, key } of group.fields) {
    if (!(key in values) || !isUntouched(el)) continue;
    const was = read(el);
    if (!same(was, values[key])) {
      if (!write(el, values[key])) continue;
      placed.push({ el, was });
    }
    delete values[key];
  }
};

/** @param {any} value @returns {string} */
const plain = (value) => {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value.map((part) => (Array.isArray(part) ? plain(part[1]) : String(part))).join(' ');
};

/** What a form is to hold of what was saved for later. @param {Group} group @returns {Record<string, Value> | null} */
const given = ({ form, fields }) => {
  if (!kept || !form || (filled() || form) !== form || goalOf(form, null)?.pathname !== kept.action.split('?')[0]) return null;
  /** @type {Map<string, string[]>} */
  const all = new Map();
  for (const { name, value } of kept.fields) if (value !== undefined) all.set(name, [...(all.get(name) || []), value]);
  /** @type {Record<string, Value>} */
  const values = {};
  for (const { el, key } of fields) {
    const input = /** @type {any} */ (el), mine = all.get(input.name);
    if (!mine) continue;
    if (kindOf(el) === 'select') values[key] = mine;
    else if (kindOf(el) === 'check') values[key] = mine.includes(input.value);
    // Line breaks travel as CRLF (HTML §4.10.21.4); in a field they are LF.
    else if (mine.length) values[key] = /** @type {string} */ (mine.shift()).replace(/\r\n?/g, '\n');
  }
  return values;
};

/** One voice: where the server's note stands in the page we say nothing, but what found its place after all is not missed there. */
const correct = () => {
  for (const name of note?.querySelectorAll('dt') || []) {
    if (!placed.some(({ el }) => attribute(el, 'name') === name.textContent)) continue;
    name.nextElementSibling?.remove();
    name.remove();
  }
  const list = note?.querySelector('dl');
  if (list && !list.firstChild) {
    list.previousElementSibling?.remove();
    list.remove();
  }
};

/** Looks for fields for what is kept; what is doubtful waits for the visitor's word. */
const putBack = () => {
  if (im.stopped) return;
  adopt();
  /** @type {string[]} */
  const asks = [];
  const again = entry?.type === 'reload' || entry?.type === 'back_forward';
  const before = placed.length, late = [];
  for (const group of groups().values()) {
    const key = draftKey(group.key);
    let job = jobs.get(key);
    const wished = given(group);
    if (wished) {
      settled.add(key);
      jobs.set(key, (job ||= { values: {}, all: 0 }));
      for (const name of Object.keys(wished).filter((name) => !served.has(key + '\n' + name))) {
        served.add(key + '\n' + name);
        job.values[name] = wished[name];
        job.all += 1;
      }
    } else if (!job) {
      if (!slots.has(key)) {
        late.push(claim(key));
        continue;
      }
      const draft = dirty.has(group.form) || settled.has(key) ? null : load(key);
      if (!draft) continue;
      const values = { ...draft.values };
      // Sent already, or from before somebody signed in: only the visitor knows whether it is wanted.
      if ((draft.sent && !again) || draft.at < Number(onDevice?.getItem(OURS + 'in') || 0)) {
        if (group.fields.some(({ el, key: name }) => name in values && !same(read(el), values[name]))) asks.push(key);
        continue;
      }
      jobs.set(key, (job = { values, all: Object.keys(values).length }));
    }
    place(group, job.values);
  }
  if (late.length) Promise.all(late).then(putBack);
  if (asks.length) speak().then(() => offer(asks));
  else if (placed.length > before) speak().then(announce);
};

/** @param {string[]} keys */
const offer = (keys) => {
  const answer = (/** @type {boolean} */ wanted) => () => {
    for (const key of keys) {
      const draft = wanted && load(key);
      settled.add(key);
      if (draft) jobs.set(key, { values: { ...draft.values }, all: Object.keys(draft.values).length });
      else drop(key);
    }
    hush('answers');
    putBack();
  };
  tellIn('answers', text('offer'), [button('put', answer(true)), button('remove', answer(false), 'quiet')]);
};

/** Says what was put back, and once no field is awaited any more also what has none. */
const announce = () => {
  if (note?.isConnected && (!placed.length || filled())) return correct();
  // The server had not found the form that the page has made since.
  note?.remove();
  const left = over ? [...jobs.values()].flatMap((job) => Object.values(job.values)).map(plain).filter(Boolean) : [];
  const names = kept?.fields.flatMap(({ file }) => file || []).join(', ');
  if (!placed.length && !left.length && !names) return;
  const all = [...jobs.values()].reduce((sum, job) => sum + job.all, 0), count = placed.length;
  const lines = left.length ? [text('put_some', { count, all }), text('left'), ...left] : [text('put_back', { count })];
  if (names) lines.push(text('files', { names }));
  const undo = button('undo', () => {
    for (const { el, was } of placed) write(el, was);
    for (const key of jobs.keys()) {
      settled.add(key);
      drop(key);
    }
    jobs.clear();
    placed = [];
    kept = undefined;
    hush('answers');
  }, 'quiet');
  tellIn('answers', lines.join('\n'), [undo, dismiss('answers')]);
};

/** Ends the wait for fields. */
let enough = () => {};
/** Whether none is awaited any more: what has none is shown. */
let over = false;

/** Waits for fields that the page makes later. */
const awaitLate = () => {
  enough();
  over = false;
  let calm = 0, end = 0;
  const watcher = new MutationObserver(() => {
    clearTimeout(calm);
    calm = setTimeout(putBack, CALM_MS);
  });
  watcher.observe(document.documentElement, { childList: true, subtree: true });
  // An editor may wake up, and a shadow root fill, without a change that can be seen from here.
  const rounds = [500, 1500, 4000, 10000].map((ms) => setTimeout(putBack, ms));
  enough = () => {
    watcher.disconnect();
    rounds.forEach(clearTimeout);
    clearTimeout(calm);
    clearTimeout(end);
  };
  end = setTimeout(() => {
    enough();
    over = true;
    if (isMissing() && !im.stopped) speak().then(announce);
  }, LATE_MS);
};
controller.signal.addEventListener('abort', () => enough());

const isMissing = () => [...jobs.values()].some((job) => Object.keys(job.values).length);
// The next step of a form comes when the visitor asks for it, however late.
addEventListener('click', () => {
  if (over && isMissing()) setTimeout(putBack, CALM_MS);
}, { capture: true, signal: controller.signal });

/** What was saved for later and is to be sent in the live form. @param {string} id */
const refill = async (id) => {
  if (location.hash) history.replaceState(history.state, '', location.pathname + location.search);
  note = document.querySelector('[data-im-refill]');
  const answer = await fetch(`/.intermission/s/${encodeURIComponent(id)}/fields`, { cache: 'no-store' });
  if (!answer.ok) return;
  kept = await answer.json();
};

const bringBack = async () => {
  for (const key of keysIn(onDevice)) if (key.startsWith(DRAFT) && !take(onDevice, key)) onDevice?.removeItem(key);
  settle();
  const id = wanted();
  if (id && !im.how) await refill(id).catch(() => {});
  putBack();
  awaitLate();
};

const turn = () => {
  jobs.clear();
  placed = [];
  hush('answers');
  setTimeout(putBack, CALM_MS);
  awaitLate();
};

/** @param {string} was @param {string | null} end */
const show = async (was, end) => {
  await speak();
  const told = im.told;
  if (im.stopped || !told || !im.speaks) return;
  const service = told.service || document.title;
  if (im.mode === 'closed') {
    for (const form of dirty) if (form) stale.add(form);
    tellIn('state', closedUntil(service, end) + '\n' + text((inTab || onDevice) && !im.unkept ? 'kept' : 'unkept'));
  } else if (was === 'closed') {
    tellIn('state', text('opened', { service }), [dismiss('state')]);
    // Each page at a time of its own: all that waited are here at once.
    if (stale.size) setTimeout(() => stopped((they) => they.freshen()).catch(() => {}), 500 + Math.random() * 4500);
  } else if (im.mode === 'announced' && told.next) {
    const { starts_at, maintenance } = told.next, seen = OURS + 'seen:' + maintenance + starts_at;
    if (inTab?.getItem(seen)) return hush('state');
    const words = text(end ? 'announced' : 'announced_open', { service, start: when(starts_at), end: end ? when(end) : '' });
    tellIn('state', words, [button('dismiss', () => {
      inTab?.setItem(seen, '1');
      hush('state');
    }, 'quiet')]);
  } else if (was === 'announced') {
    hush('state');
  }
};

/** What else speaks with our voice. @typedef {typeof telling} Telling */
const telling = { speak, text, button, dismiss, tellIn, closedUntil, interrupt, shut };

/** @type {Promise<Stopped> | undefined} */
let last;
/** What is done with a submit that was stopped comes when there is one. @template T @param {(they: Stopped) => T} then */
const stopped = (then) => (last ||= part('hold.js', telling)).then(then);

/** @typedef {typeof theRest} More */
const theRest = {
  show, bringBack, turn,
  onStopped: (/** @type {Parameters<Stopped['onStopped']>} */ ...of) => stopped((they) => they.onStopped(...of)),
  refuse: (/** @type {Parameters<Stopped['refuse']>} */ ...of) => stopped((they) => they.refuse(...of)),
};
