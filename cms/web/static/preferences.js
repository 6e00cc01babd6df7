// What a person prefers on every page, kept in this browser. It runs before the first paint, so
// that no page shows first what it then hides or recolors: hence no module.

(() => {
  const root = document.documentElement;
  const KEPT = { scheme: 'scheme', answers: 'answers', 'single-keys': 'singleKeys' };
  root.dataset.scripts = 'on';

  // A browser that keeps nothing, as in some private windows, throws.
  function kept(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  }

  function keep(name, value) {
    try {
      if (value) localStorage.setItem(name, value); else localStorage.removeItem(name);
    } catch { /* It holds for this page, then. */ }
  }

  function mark(name, value) {
    if (value) root.dataset[KEPT[name]] = value; else delete root.dataset[KEPT[name]];
  }

  // Fold the answers of a question's page, or open them all.
  function fold() {
    const hidden = root.dataset.answers === 'hidden';
    for (const answers of document.querySelectorAll('details.answers')) {
      // Who follows a link into an answer wants to see it.
      answers.open = !hidden || answers.querySelector(':target') !== null;
    }
    root.dataset.folded = 'yes';
  }

  function show() {
    for (const control of document.querySelectorAll('[data-preference]')) {
      const { preference, checked, unchecked } = control.dataset;
      const value = root.dataset[KEPT[preference]] || '';
      if (control.type === 'checkbox') control.checked = checked ? value === checked : value !== unchecked;
      else control.value = value;
    }
  }

  function chosen(control) {
    if (control.type !== 'checkbox') return control.value;
    return control.checked ? control.dataset.checked : control.dataset.unchecked;
  }

  for (const name of Object.keys(KEPT)) mark(name, kept(name));

  document.addEventListener('DOMContentLoaded', () => {
    fold();
    show();
  });

  document.addEventListener('change', (event) => {
    const preference = event.target.dataset?.preference;
    if (!preference) return;
    const value = chosen(event.target);
    mark(preference, value);
    keep(preference, value);
    show();
    if (preference === 'answers') fold();
  });

  // Another tab changed its mind.
  window.addEventListener('storage', (event) => {
    if (!(event.key in KEPT)) return;
    mark(event.key, event.newValue);
    show();
    if (event.key === 'answers') fold();
  });

  // Paper shows every answer.
  window.addEventListener('beforeprint', () => {
    for (const answers of document.querySelectorAll('details.answers, details.reveal')) answers.open = true;
  });
})();
