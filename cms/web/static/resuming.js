// Saving loads the page anew: whoever was typing goes on in the same place.

const form = document.getElementById('editor');
const name = `desk-place:${form.dataset.key}`;
const notes = document.getElementById('notes');
let last = null;

form.addEventListener('focusin', (event) => { if (event.target.matches('[id]:not(button)')) last = event.target; });

form.addEventListener('submit', (event) => {
  if (event.submitter?.value !== 'save' || !last) {
    sessionStorage.removeItem(name);
    return;
  }
  const caret = last.matches('textarea') ? [last.selectionStart, last.selectionEnd] : null;
  sessionStorage.setItem(name, JSON.stringify({ id: last.id, caret, top: scrollY }));
});

const held = JSON.parse(sessionStorage.getItem(name) || 'null');
sessionStorage.removeItem(name);
const field = held && document.getElementById(held.id);
// A refused save leads to what is wrong instead.
if (field && !field.closest('[hidden]') && !document.getElementById('problems')) {
  field.focus({ preventScroll: true });
  if (held.caret && field.matches('textarea')) field.setSelectionRange(...held.caret);
  scrollTo({ top: held.top });
  // What came of it is at the top of the page, and stays in sight until the next key.
  notes.classList.add('afloat');
  form.addEventListener('input', () => notes.classList.remove('afloat'), { once: true });
}
