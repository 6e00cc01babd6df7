// Filing a correction: the chosen text alone is shown, and a selected passage is quoted.

document.getElementById('problems')?.focus();

const where = document.getElementById('where');
const folds = [...document.querySelectorAll('[data-part]')];

// What was typed over stays in sight, whatever is chosen.
function typed(fold) {
  const area = fold.querySelector('textarea');
  return area.value !== area.defaultValue || fold.querySelector('.error');
}

function show({ open }) {
  for (const fold of folds) {
    const chosen = fold.dataset.part === where.value;
    fold.hidden = where.value !== '' && !chosen && !typed(fold);
    if (open && chosen) fold.open = true;
  }
}

where.addEventListener('change', () => show({ open: true }));
show({ open: false });

// --- quoting -------------------------------------------------------------------------

const quotable = document.querySelector('[data-quotable]');
const claim = document.getElementById('claim');
const button = document.querySelector('[data-quote]');

function selected() {
  const selection = getSelection();
  const inside = selection.rangeCount && quotable.contains(selection.getRangeAt(0).commonAncestorContainer);
  return inside ? selection.toString().trim() : '';
}

function quote() {
  const passage = selected();
  if (!passage) return;
  claim.value = claim.value.trim() ? `${claim.value.trim()}\n\n${passage}` : passage;
  claim.dispatchEvent(new Event('input', { bubbles: true }));
  getSelection().removeAllRanges();
  claim.focus();
}

if (quotable) {
  button.parentElement.hidden = false;
  button.disabled = true;
  document.addEventListener('selectionchange', () => { button.disabled = !selected(); });
  // A press would take the selection away.
  button.addEventListener('mousedown', (event) => event.preventDefault());
  button.addEventListener('click', quote);
  document.addEventListener('keydown', (event) => {
    if (event.altKey && !event.ctrlKey && event.code === 'KeyQ' && selected()) {
      event.preventDefault();
      quote();
    }
  });
}
