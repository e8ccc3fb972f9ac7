// In the application's own pages: keeps what visitors type, and tells them when the route closes.
'use strict';
(() => {
  const me = document.currentScript;
  if (!me || window.__intermission) return;
  Object.defineProperty(window, '__intermission', { value: { route: me.dataset.im } });
})();
