// Single-key shortcuts: never where something is typed, never with a modifier, and not at all
// where the reader has switched them off.

const TYPED = 'input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog';
const PRESSED = 'button, summary, a, input';

// Call what `actions` has for a key that is pressed. An action that returns false did not apply.
export function onKeys(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
    if (document.documentElement.dataset.singleKeys === 'off' || event.target.closest(TYPED)) return;
    // Space presses what has the focus, and so does Enter where it is no field.
    if (event.key === ' ' && event.target.closest(PRESSED)) return;
    if (event.key === 'Enter' && event.target.closest('button, summary, a')) return;
    const action = actions[event.key.toLowerCase()];
    if (action && action() !== false) event.preventDefault();
  });
}
