// Import warnings: from the note to its passage in the text, and back from the preview.

const form = document.getElementById('editor');

function areaOf(note) {
  return document.getElementById(note.closest('[data-warnings]').id.replace(/-?warnings$/, ''));
}

// As the server finds it: letter by letter, else with any white space for any other.
function find(text, note) {
  const { passage } = note.dataset;
  const start = text.indexOf(passage);
  if (start >= 0) return [start, start + passage.length];
  if ('exact' in note.dataset) return null;
  const words = passage.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const found = new RegExp(words.join('\\s+')).exec(text);
  return found && [found.index, found.index + found[0].length];
}

// What a note says of its passage stays true while one types.
function tell(note) {
  const area = areaOf(note);
  if (!area) return;
  const place = find(area.value, note);
  for (const part of note.querySelectorAll('[data-mend], [data-there]')) part.hidden = !place;
  note.querySelector('[data-gone]').hidden = Boolean(place);
  if (place) note.querySelector('[data-line]').textContent = area.value.slice(0, place[0]).split('\n').length;
}

function tellAll() {
  document.querySelectorAll('[data-passage]').forEach(tell);
}

function unfold(element) {
  element.closest('[data-answer]')?.querySelector('[data-step=fold][aria-expanded=false]')?.click();
  const folded = element.closest('details');
  if (folded) folded.open = true;
}

function select(area, [start, end]) {
  unfold(area);
  area.focus({ preventScroll: true });
  area.setSelectionRange(start, end);
  const top = heightBefore(area, start);
  area.scrollTop = top;
  scrollTo({ top: scrollY + area.getBoundingClientRect().top + top - area.scrollTop - innerHeight / 3 });
}

// A text area does not say where its lines are: a copy of its text is measured.
function heightBefore(area, start) {
  const copy = document.createElement('div');
  const style = getComputedStyle(area);
  for (const name of ['font', 'letterSpacing', 'tabSize', 'padding', 'border', 'boxSizing', 'width']) copy.style[name] = style[name];
  Object.assign(copy.style, { position: 'absolute', visibility: 'hidden', whiteSpace: 'pre-wrap', overflowWrap: 'break-word' });
  const here = document.createElement('span');
  here.textContent = area.value.slice(start) || ' ';
  copy.append(area.value.slice(0, start), here);
  area.after(copy);
  const height = here.offsetTop;
  copy.remove();
  return height;
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-mend]');
  if (link) {
    const note = link.closest('[data-passage]');
    const area = areaOf(note);
    const place = find(area.value, note);
    if (!place) return;
    event.preventDefault();
    select(area, place);
    return;
  }
  const note = document.getElementById(event.target.closest('a[href^="#warning-"]')?.hash.slice(1));
  if (note) unfold(note);
});

form.addEventListener('input', tellAll);
document.addEventListener('desk:refreshed', ({ detail: region }) => {
  tellAll();
  // The button that was pressed is gone with its note: go on with the next one.
  if (document.activeElement !== document.body) return;
  const next = region?.querySelector('.warning') || document.querySelector('.warning') || document.getElementById('main');
  next.focus();
});
tellAll();
