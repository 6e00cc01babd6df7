// Light or dark as the reader chose, else as the system has it. It runs before the page is
// drawn, so that nothing flashes; the choice stays in this browser.
(() => {
  const KEY = 'scheme';
  const root = document.documentElement;
  const store = (() => { try { return window.localStorage; } catch { return null; } })();

  function apply(scheme) {
    if (scheme === 'light' || scheme === 'dark') root.dataset.scheme = scheme;
    else delete root.dataset.scheme;
  }
  apply(store?.getItem(KEY));

  document.addEventListener('DOMContentLoaded', () => {
    const choice = document.querySelector('[data-colors]');
    if (!choice || !store) return;
    const select = choice.querySelector('select');
    select.value = root.dataset.scheme || '';
    choice.hidden = false;
    select.addEventListener('change', () => {
      if (select.value) store.setItem(KEY, select.value);
      else store.removeItem(KEY);
      apply(select.value);
    });
    // Other pages that are open follow.
    window.addEventListener('storage', (event) => {
      if (event.key !== KEY && event.key !== null) return;
      apply(event.newValue);
      select.value = root.dataset.scheme || '';
    });
  });
})();
