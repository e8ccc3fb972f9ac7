// Two things, both of which the page does without: times in the visitor's zone, and watching for the
// return. It never reloads by itself, so that nothing typed or read elsewhere on the page is lost.
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

const card = document.querySelector('[data-watch]');
if (!card || !window.fetch) return;
const status = card.querySelector('[role=status]');
const go = card.querySelector('[data-go]');
card.querySelectorAll('[data-js]').forEach((note) => { note.hidden = false; });
const url = '/.intermission/v1/state?p=' + encodeURIComponent(card.dataset.path || location.pathname);
// Bounds in milliseconds and counts: a page that is left open must not weigh on the site.
const SOONEST = 5e3, LATEST = 3e5, LOOKS = 2000;
let every = 3e4, fails = 0, looks = 0, timer = 0, open = false;

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
    if (now.state === 'open') reopened(); else moved(now.ends_at);
  } catch { fails += 1; }
  wait();
};
const reopened = () => {
  open = true;
  status.textContent = card.dataset.watch;
  document.title = card.dataset.watch;
  card.querySelectorAll('[data-js], [data-closed]').forEach((past) => { past.hidden = true; });
  if (go) go.textContent = go.dataset.go;
};
const moved = (end) => {
  const until = card.querySelector('[data-until]'), unknown = card.querySelector('[data-unknown]');
  const time = until && until.querySelector('time');
  if (!time || !unknown) return;
  const was = until.hidden ? NaN : Date.parse(time.dateTime), is = Date.parse(end);
  if (is === was || (isNaN(is) && isNaN(was))) return;
  until.hidden = isNaN(is);
  unknown.hidden = true;
  if (!until.hidden) { time.dateTime = end; spell(time); }
  status.textContent = until.hidden ? unknown.textContent.trim() : card.dataset.moved;
};
document.addEventListener('visibilitychange', wait);
wait();
})();
