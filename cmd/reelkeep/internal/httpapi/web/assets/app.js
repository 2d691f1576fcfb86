// What moves on the page: pieces of it that the server sends, and copying. Everything else works without.
(() => {
  'use strict';
  const pause = { first: 2000, most: 30000 };
  let source = null, again = null, wait = pause.first;

  // put sets pieces of the page in place: each takes the place of what has its id, or goes in front of the others where
  // it says that it belongs.
  function put(html) {
    const holder = document.createElement('template');
    holder.innerHTML = html;
    const focused = document.activeElement && document.activeElement.id;
    for (const piece of [...holder.content.children]) {
      const old = document.getElementById(piece.id);
      const into = piece.dataset.into && document.getElementById(piece.dataset.into);
      if (old) {
        if (old.isEqualNode(piece) || (piece.dataset.sign && old.dataset.sign === piece.dataset.sign)) continue;
        if (old.ariaLive) { // it has to stay, or nobody reads out what it says
          old.replaceChildren(...piece.childNodes);
          continue;
        }
        old.replaceWith(piece);
      } else if (into) {
        into.prepend(piece);
      } else {
        continue;
      }
      htmx.process(piece);
    }
    if (focused && document.activeElement === document.body) {
      const same = document.getElementById(focused);
      if (same) same.focus({ preventScroll: true });
    }
    pace();
  }

  // pace tells how fast bars move, and how long the rest takes.
  const marks = new Map();
  function pace() {
    const now = performance.now();
    for (const bar of document.querySelectorAll('.progress')) {
      const meter = bar.querySelector('progress[value]');
      if (!meter) continue;
      let list = marks.get(bar.id) || [];
      const last = list[list.length - 1];
      if (last && (meter.value < last.done || now - last.at > 10000)) list = [];
      if (!last || meter.value !== last.done) list = [...list, { at: now, done: meter.value }].slice(-8);
      marks.set(bar.id, list);
      const speed = (meter.value - list[0].done) / (now - list[0].at) * 1000;
      if (speed > 0) bar.querySelector('.rate').textContent = `${bytes(speed)}/s, ${span((meter.max - meter.value) / speed)} left`;
    }
  }

  function bytes(n) {
    let unit = 0;
    for (; n >= 1024 && unit < 4; unit++) n /= 1024;
    return n.toFixed(unit ? 1 : 0) + ['\u00a0B', '\u00a0KiB', '\u00a0MiB', '\u00a0GiB', '\u00a0TiB'][unit];
  }

  const span = (s) => (s < 60 ? `${Math.ceil(s)} s` : s < 3600 ? `${Math.ceil(s / 60)} min` : `${Math.ceil(s / 3600)} h`);

  const live = () => document.querySelector('[data-events]');

  function close() {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  }

  function open() {
    close();
    if (!live() || document.hidden) return;
    const mine = source = new EventSource(new URL(live().dataset.events, document.baseURI));
    mine.addEventListener('patch', (e) => { wait = pause.first; put(e.data); });
    mine.onerror = () => {
      if (mine !== source) return;
      close(); // the browser gives up at the first answer that is none; so we ask ourselves, ever more rarely
      again = setTimeout(open, wait);
      wait = Math.min(2 * wait, pause.most);
    };
  }

  // A browser opens only six connections to one server: pages that nobody looks at keep none.
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', (e) => { if (e.persisted) open(); });

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without https there is no clipboard but this one.
      const field = document.createElement('textarea');
      field.value = text;
      field.className = 'hidden';
      document.body.append(field);
      field.select();
      const done = document.execCommand('copy');
      field.remove();
      return done;
    }
  }

  document.addEventListener('click', async (e) => {
    const button = e.target.closest('.copy');
    if (!button) return;
    const link = button.parentElement.querySelector('a.link');
    const done = await copy(button.dataset.copy || link.href);
    const was = button.dataset.was || button.innerHTML;
    button.dataset.was = was;
    button.textContent = done ? 'Copied' : 'Press Ctrl-C';
    if (!done) getSelection().selectAllChildren(link);
    setTimeout(() => { button.innerHTML = was; }, 2000);
  });

  function settle() {
    const home = new URL(document.querySelector('a.brand').getAttribute('href'), document.baseURI).href;
    for (const el of document.querySelectorAll('[data-origin]')) el.textContent = home;
    for (const el of document.querySelectorAll('.copy')) el.hidden = false;
    for (const link of document.querySelectorAll('.permalink a.link')) {
      const button = link.parentElement.querySelector('.copy');
      if (button && !button.dataset.copy) link.textContent = link.href;
    }
  }

  // What stands between us and the browser may answer too, with a page that has nothing of ours; and a film that is moved in
  // the page would stop.
  let playing = false;
  document.addEventListener('htmx:beforeRequest', (e) => {
    if (document.hidden && e.detail.elt.matches('[hx-trigger^=every]')) e.preventDefault(); // asked again when somebody looks
  });
  document.addEventListener('htmx:beforeSwap', (e) => {
    if (!/<main|^$/.test(e.detail.xhr.responseText)) e.detail.shouldSwap = false;
    const film = document.getElementById('player');
    playing = Boolean(film && !film.paused);
  });

  document.addEventListener('htmx:afterSettle', (e) => {
    settle();
    pace();
    const film = document.getElementById('player');
    if (playing && film && film.paused) film.play().catch(() => {});
    if (e.target.matches && (e.target.id === 'main' || e.target.id === 'results')) open();
  });
  document.addEventListener('DOMContentLoaded', () => { settle(); open(); });
})();
