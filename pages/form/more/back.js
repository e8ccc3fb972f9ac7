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

/** Looks at what the last submit of this tab became: its answer is this page, or it was one without us,
 * the maintenance page for example. */
const settle = () => {
  const here = new Set([...groups().values()].map((group) => draftKey(group.key)));
  const [entry] = /** @type {any[]} */ (performance.getEntriesByType('navigation'));
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

/** Looks for fields for what is kept; what is doubtful waits for the visitor's word. */
const putBack = () => {
  if (im.stopped) return;
  adopt();
  /** @type {string[]} */
  const asks = [];
  const [entry] = /** @type {any[]} */ (performance.getEntriesByType('navigation'));
  const again = entry?.type === 'reload' || entry?.type === 'back_forward';
  const before = placed.length;
  for (const group of groups().values()) {
    const key = draftKey(group.key);
    let job = jobs.get(key);
    if (!job) {
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
  if (asks.length) speak().then(() => offer(asks));
  else if (placed.length > before) speak().then(() => announce(false));
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

/** @param {boolean} last whether no field is awaited any more */
const announce = (last) => {
  const left = last ? [...jobs.values()].flatMap((job) => Object.values(job.values)).map(plain).filter(Boolean) : [];
  if (!placed.length && !left.length) return;
  const all = [...jobs.values()].reduce((sum, job) => sum + job.all, 0);
  const lines = left.length
    ? [text('put_some', { count: placed.length, all }), text('left'), ...left]
    : [text('put_back', { count: placed.length })];
  const undo = button('undo', () => {
    for (const { el, was } of placed) write(el, was);
    for (const key of jobs.keys()) {
      settled.add(key);
      drop(key);
    }
    jobs.clear();
    placed = [];
    hush('answers');
  }, 'quiet');
  tellIn('answers', lines.join('\n'), [undo, button('dismiss', () => hush('answers'), 'quiet')]);
};

/** Waits for fields that the page makes later. */
const awaitLate = () => {
  let calm = 0;
  const watcher = new MutationObserver(() => {
    clearTimeout(calm);
    calm = setTimeout(putBack, CALM_MS);
  });
  watcher.observe(document.documentElement, { childList: true, subtree: true });
  // An editor may wake up, and a shadow root fill, without a change that can be seen from here.
  const rounds = [500, 1500, 4000, 10000].map((ms) => setTimeout(putBack, ms));
  const end = () => {
    watcher.disconnect();
    rounds.forEach(clearTimeout);
    clearTimeout(calm);
  };
  controller.signal.addEventListener('abort', end);
  setTimeout(() => {
    end();
    const missing = [...jobs.values()].some((job) => Object.keys(job.values).length);
    if (missing && !im.stopped) speak().then(() => announce(true));
  }, LATE_MS);
};

/** What was saved for later and is to be sent in the live form. @param {string} id */
const refill = async (id) => {
  history.replaceState(history.state, '', location.pathname + location.search);
  const answer = await fetch(`/.intermission/s/${encodeURIComponent(id)}/fields`, { credentials: 'same-origin', cache: 'no-store' });
  if (!answer.ok) return;
  /** @type {{ action: string, fields: { name: string, value?: string, file?: string }[] }} */
  const kept = await answer.json();
  for (const group of groups().values()) {
    if (!group.form || goalOf(group.form, null)?.pathname !== kept.action.split('?')[0]) continue;
    settled.add(draftKey(group.key));
    /** @type {Map<string, string[]>} */
    const given = new Map();
    for (const { name, value } of kept.fields) if (value !== undefined) given.set(name, [...(given.get(name) || []), value]);
    /** @type {Record<string, Value>} */
    const values = {};
    for (const { el, key } of group.fields) {
      const input = /** @type {any} */ (el), mine = given.get(input.name);
      if (!mine) continue;
      if (kindOf(el) === 'select') values[key] = mine;
      else if (kindOf(el) === 'check') values[key] = mine.includes(input.value);
      else if (mine.length) values[key] = /** @type {string} */ (mine.shift());
    }
    jobs.set(draftKey(group.key), { values, all: Object.keys(values).length });
  }
  const names = kept.fields.flatMap(({ file }) => file || []).join(', ');
  await speak();
  if (names) tellIn('answers', text('files', { names }), [button('dismiss', () => hush('answers'), 'quiet')]);
};

const bringBack = async () => {
  for (const key of keysIn(onDevice)) if (key.startsWith(DRAFT) && !take(onDevice, key)) onDevice?.removeItem(key);
  settle();
  const id = /^#im-refill=([\w-]+)/.exec(location.hash)?.[1];
  if (id && !im.how) await refill(id).catch(() => {});
  putBack();
  awaitLate();
};

const turn = () => {
  jobs.clear();
  placed = [];
  setTimeout(putBack, CALM_MS);
};

/** @param {string} was @param {string | null} end */
const show = async (was, end) => {
  await speak();
  const told = im.told;
  if (im.stopped || !told || !im.speaks) return;
  const service = told.service || document.title;
  if (im.mode === 'closed') {
    for (const form of dirty) if (form) stale.add(form);
    const since = end && away(end) > 0 ? text('closed', { service, end: when(end) }) : text('closed_open', { service });
    tellIn('state', since + '\n' + text((inTab || onDevice) && !im.unkept ? 'kept' : 'unkept'));
  } else if (was === 'closed') {
    tellIn('state', text('opened', { service }), [button('dismiss', () => hush('state'), 'quiet')]);
    // Each page at a time of its own: all that waited are here at once.
    if (stale.size) setTimeout(freshen, 500 + Math.random() * 4500);
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
