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
        if (old.isEqualNode(piece)) continue;
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
  }

  const live = () => document.querySelector('[data-events]');

  // address is where events come from, with what the page has by now.
  function address() {
    const url = new URL(live().dataset.events, document.baseURI);
    const cards = document.getElementById('cards');
    if (cards && cards.dataset.since) url.searchParams.set('since', cards.dataset.since);
    return url;
  }

  function close() {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  }

  function open() {
    close();
    if (!live() || document.hidden) return;
    const mine = source = new EventSource(address());
    mine.addEventListener('patch', (e) => { wait = pause.first; put(e.data); });
    mine.addEventListener('change', () => {
      htmx.ajax('GET', location.href, { target: 'main', select: 'main', swap: 'outerHTML' });
    });
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
    for (const link of document.querySelectorAll('.permalink a.link')) {
      const button = link.parentElement.querySelector('.copy');
      if (button && !button.dataset.copy) link.textContent = link.href;
    }
  }

  document.addEventListener('htmx:afterSettle', (e) => {
    settle();
    if (e.target.matches && (e.target.id === 'main' || e.target.id === 'results')) open();
  });
  document.addEventListener('DOMContentLoaded', () => { settle(); open(); });
})();
