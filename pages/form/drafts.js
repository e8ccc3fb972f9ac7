// What was typed and not sent yet: in this tab, and on this device once a window is announced.

/** @typedef {{ at: number, place: string, form: string, values: Record<string, Value>, sent?: number, until?: number, slot?: string }} Draft */

const OURS = 'intermission:';
const DRAFT = OURS + 'draft:';
// Characters of one form, and how many older drafts give way to a new one.
const DRAFT_MAX = 200 * 1024, YIELD_MAX = 30;
const HOUR = 36e5;
// Drafts of one form on the device: one for each tab that is open with it. More tabs share one.
const SLOTS = ['', '~2', '~3', '~4'];
// What the address of a page says of who brought the visitor there, not of what is shown.
const TRACES = /^(utm_|fbclid|gclid|_$|_ga)/;

/** A storage that works, or none. @param {'sessionStorage' | 'localStorage'} name */
const shelf = (name) => {
  try {
    const store = window[name];
    store.setItem(OURS + 'probe', '1');
    store.removeItem(OURS + 'probe');
    return store;
  } catch {
    return null;
  }
};
const inTab = shelf('sessionStorage'), onDevice = shelf('localStorage');

/** The forms that the visitor changed. @type {Set<HTMLFormElement | null>} */
const dirty = new Set();
/** When a form was sent that nothing was typed into since. @type {Map<HTMLFormElement | null, number>} */
const sent = new Map();

/** @type {WeakMap<HTMLFormElement, string>} */
const sentKeys = new WeakMap();

/** The page as far as it tells forms apart. @param {string} href */
const placeOf = (href = location.href) => {
  const url = new URL(href, location.href);
  for (const name of [...url.searchParams.keys()]) if (TRACES.test(name)) url.searchParams.delete(name);
  return url.pathname + url.search;
};

/** @param {string} key @param {string} place */
const draftKey = (key, place = placeOf()) => DRAFT + place + '#' + key;

/** @param {Storage | null} store @returns {string[]} */
const keysIn = (store) => (store ? Object.keys(store).filter((key) => key.startsWith(OURS)) : []);

/** @param {Storage | null} store @param {string} key @returns {Draft | null} */
const take = (store, key) => {
  try {
    const draft = JSON.parse(store?.getItem(key) || 'null');
    return draft && draft.values && !(draft.until < Date.now()) ? draft : null;
  } catch {
    return null;
  }
};

/** The slots that this page holds, by key; how it lets go of them. @type {Map<string, string>} */
const slots = new Map();
/** @type {Map<string, Promise<unknown>>} */
const claims = new Map();
/** @type {(() => void)[]} */
let yields = [];

/** Whether no other tab holds this slot; it is held from now on. @param {string} name @param {boolean} waits */
const holds = (name, waits) => new Promise((/** @type {(held: boolean) => void} */ done) => {
  // The page before in this tab lets go of its own in a moment.
  const how = waits ? { signal: AbortSignal.timeout(2e3) } : { ifAvailable: true };
  navigator.locks.request(name, how, (/** @type {unknown} */ lock) => {
    done(!!lock);
    return lock && new Promise((/** @type {(value?: unknown) => void} */ give) => { yields.push(give); });
  }).catch(() => done(false));
});

/** Takes a slot on the device: the one that this tab had, else the newest draft that no tab is open with,
 * else an empty one. So two tabs with the same form neither show nor overwrite each other's.
 * @param {string} key */
const claim = (key) => {
  const found = claims.get(key) || (async () => {
    const own = slotOf(key), at = (/** @type {string} */ slot) => (slot === own ? Infinity : take(onDevice, key + slot)?.at || 0);
    if (onDevice && navigator.locks) {
      for (const slot of [...SLOTS].sort((a, b) => at(b) - at(a))) if (await holds(key + slot, slot === own)) return slots.set(key, slot);
    }
    slots.set(key, own || '');
  })();
  claims.set(key, found);
  return found;
};

/** A page that is left holds nothing: it could not be gone back to as it was. */
const yieldAll = () => {
  yields.forEach((give) => give());
  yields = [];
  claims.clear();
};

/** @param {string} key */
const slotOf = (key) => slots.get(key) ?? take(inTab, key)?.slot;

/** What is on the device for this tab: nothing while it has no slot. @param {string} key */
const onShelf = (key) => take(onDevice, key + slotOf(key));

/** @param {string} key @returns {Draft | null} */
const load = (key) => {
  const here = take(inTab, key), there = onShelf(key);
  return here && there ? (there.at > here.at ? there : here) : here || there;
};

/** @param {Storage | null} store @param {string} key @param {Draft} draft */
const put = (store, key, draft) => {
  const text = JSON.stringify(draft);
  if (!store || text.length > DRAFT_MAX) return false;
  for (let tries = 0; tries < YIELD_MAX; tries += 1) {
    try {
      store.setItem(key, text);
      return true;
    } catch {
      const others = keysIn(store).filter((other) => other.startsWith(DRAFT) && other !== key);
      const oldest = others.sort((a, b) => (take(store, a)?.at || 0) - (take(store, b)?.at || 0))[0];
      if (!oldest) return false;
      store.removeItem(oldest);
    }
  }
  return false;
};

/** @param {string} key */
const drop = (key) => {
  onDevice?.removeItem(key + slotOf(key));
  inTab?.removeItem(key);
};

/** Deletes all that we ever stored in this tab and on this device. */
const forget = () => {
  dirty.clear();
  for (const store of [inTab, onDevice]) for (const key of keysIn(store)) store?.removeItem(key);
};

/** @param {string} key @param {Draft} draft */
const keep = (key, draft) => {
  const stored = put(inTab, key, { ...draft, slot: slotOf(key) });
  if (!slots.has(key)) {
    claim(key).then(() => {
      const now = take(inTab, key);
      if (now) keep(key, now);
    });
    return stored;
  }
  const lasts = (im.promoted || !!onShelf(key)) && put(onDevice, key + slotOf(key), { ...draft, until: im.until || Date.now() + 48 * HOUR });
  return stored || lasts;
};

/** Keeps what stands in the forms that the visitor changed. What has no field on this page, such as the
 * other steps of a wizard, stays as it was. */
const save = () => {
  if (!dirty.size) return;
  im.unkept = false;
  const found = groups();
  for (const form of dirty) {
    const group = found.get(form);
    if (!group) continue;
    const key = draftKey(group.key), old = load(key);
    const values = { ...old?.values };
    for (const { el, key: name } of group.fields) {
      const now = read(el), was = first.get(el) ?? '';
      if (touched.has(el) && same(now, was)) delete values[name];
      // What the server put back differs from nothing.
      else if (touched.has(el) || !isUntouched(el) || (now && was === '')) values[name] = now;
    }
    // What was typed is gone again: deleted, or taken by the page.
    if (!Object.keys(values).length) drop(key);
    else if (!keep(key, { at: Date.now(), place: placeOf(), form: group.key, values, sent: sent.get(form) })) im.unkept = true;
  }
};

/** A form was sent: what it held stays until the answer is known. @param {HTMLFormElement} form */
const sentOff = (form) => {
  const key = draftKey(keyOf(form));
  sent.set(form, Date.now());
  sentKeys.set(form, key);
  save();
  const draft = load(key);
  if (draft) keep(key, { ...draft, sent: Date.now() });
};

/** @param {HTMLFormElement | null} form */
const finished = (form) => {
  dirty.delete(form);
  // By now a router may have led to another place, and taken the form out of the page.
  drop((form && sentKeys.get(form)) || draftKey(keyOf(form)));
};

/** Takes what is kept in this tab to the device as well. */
const promote = () => {
  for (const key of keysIn(inTab)) {
    const draft = key.startsWith(DRAFT) && take(inTab, key);
    if (draft) keep(key, draft);
  }
};
