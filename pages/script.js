// Two things, both of which the page does without: times in the visitor's zone, and watching for the
// return. It says what changes meanwhile, and never reloads by itself, so that nothing typed or read
// elsewhere on the page is lost.
(() => {
'use strict';
// The page's language, with the habits of the visitor's region: 16:00 for some, 4 pm for others.
const lang = document.documentElement.lang;
const locale = (navigator.languages || []).find((tag) => tag.split('-')[0].toLowerCase() === lang) || lang;
const spell = (time) => {
  const at = new Date(time.dateTime);
  try {
    time.textContent = new Intl.DateTimeFormat(locale, {
      weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit', timeZoneName: 'short',
    }).format(at);
  } catch { /* an old browser keeps the words in UTC */ }
};
document.querySelectorAll('time[datetime]').forEach(spell);

// "Do not keep on this computer": what our script has kept of forms goes.
const forget = document.querySelector('[data-forget]');
if (forget) {
  for (const name of ['localStorage', 'sessionStorage']) {
    try {
      const kept = window[name];
      Object.keys(kept).filter((key) => key.startsWith(forget.dataset.forget)).forEach((key) => kept.removeItem(key));
    } catch { /* what may not be read here was not written either */ }
  }
}
// What our script in the application's pages keeps of this page: that it is there, not what it is.
const draft = document.querySelector('[data-draft]');
const kept = (store) => {
  try {
    return Object.keys(window[store]).some((key) => key.startsWith('intermission:draft:' + location.pathname + location.search + '#'));
  } catch { return false; }
};
if (draft) draft.hidden = !kept('sessionStorage') && !kept('localStorage');

const card = document.querySelector('[data-watch]');
if (!card || !window.fetch) return;
const status = card.querySelector('[role=status]');
const go = card.querySelector('[data-go]');
card.querySelectorAll('[data-js]').forEach((note) => { note.hidden = false; });
const url = '/.intermission/v1/state?p=' + encodeURIComponent(card.dataset.path || location.pathname);
// Bounds in milliseconds and counts: a page that is left open must not weigh on the site.
const SOONEST = 5e3, LATEST = 3e5, LOOKS = 2000;
let every = 3e4, fails = 0, looks = 0, timer = 0, open = false, stage = card.dataset.stage;

// Full jitter: browsers that read the page at the same moment do not come back at the same moment.
const wait = () => {
  clearTimeout(timer);
  if (open || document.hidden || looks >= LOOKS) return;
  const mean = Math.min(LATEST, Math.max(SOONEST, every) * 2 ** Math.min(fails, 6));
  timer = setTimeout(look, 1e3 + Math.random() * 2 * mean);
};
const look = async () => {
  looks += 1;
  try {
    const answer = await fetch(url, { cache: 'no-store', credentials: 'same-origin', headers: { accept: 'application/json' } });
    if (!answer.ok) throw answer.status;
    const now = await answer.json();
    fails = 0;
    if (now.poll_after_ms > 0) every = now.poll_after_ms;
    if (now.state === 'open' || now.state === 'announced') reopened(); else changed(now);
  } catch { fails += 1; }
  wait();
};
const reopened = () => {
  open = true;
  status.textContent = card.dataset.watch;
  document.title = card.dataset.watch;
  card.querySelectorAll('[data-js], [data-closed], [data-then]').forEach((past) => { past.hidden = true; });
  if (go) go.textContent = go.dataset.go;
};
const changed = (now) => {
  const until = card.querySelector('[data-until]'), unknown = card.querySelector('[data-unknown]');
  const time = until && until.querySelector('time');
  if (!time || !unknown) return;
  // To the second: that is how exactly the page was told.
  const seconds = (text) => Math.floor(Date.parse(text) / 1e3);
  const was = until.hidden ? NaN : seconds(time.dateTime), is = seconds(now.ends_at);
  const moved = !(is === was || (isNaN(is) && isNaN(was))), at = card.hasAttribute('data-' + now.state) ? now.state : 'closed';
  const turned = stage && at !== stage;
  if (!moved && !turned) return;
  if (turned) stage = at;
  until.hidden = isNaN(is);
  unknown.hidden = true;
  if (turned) card.querySelectorAll('[data-then]').forEach((past) => { past.hidden = true; });
  if (!until.hidden) { time.dateTime = now.ends_at; spell(time); }
  remain();
  // The status is read out when it changes: what it is about first, then when.
  const known = card.dataset.moved, nobody = card.dataset.nobody || unknown.textContent.trim();
  status.textContent = (turned && card.getAttribute('data-' + stage)) || (until.hidden ? nobody : known);
};
// How long it still takes, in the words of the visitor's language; never read out by itself.
const remain = () => {
  const until = card.querySelector('[data-until]'), left = card.querySelector('[data-left]');
  if (!left || !until) return;
  const time = until.querySelector('time');
  const minutes = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 6e4);
  left.hidden = until.hidden || !(minutes > 0) || !Intl.RelativeTimeFormat;
  if (left.hidden) return;
  const [count, unit] = minutes < 100 ? [minutes, 'minute'] : minutes < 2880 ? [Math.round(minutes / 60), 'hour'] : [Math.round(minutes / 1440), 'day'];
  left.textContent = new Intl.RelativeTimeFormat(locale).format(count, unit);
};
remain();
setInterval(remain, 3e4);
document.addEventListener('visibilitychange', wait);
wait();
})();
