// A mock interview: the questions of the page one at a time, against the clock.

import { addRow, attend, cardOf, counted, place, tell } from './cards.js';
import { onKeys } from './keys.js';
import { askToPersist, writeGrade } from './progress.js';

const MARKS = ['well', 'partly', 'missed'];
const interview = document.getElementById('interview');
const part = (id) => document.getElementById(id);

const cards = [...document.querySelectorAll('#drawn .flashcard')];
const whole = Number(interview?.dataset.minutes) * 60_000;
const share = whole / cards.length;
const notes = part('notes');
const key = `interview ${location.search}`;

// What happened so far; a page that is loaded again goes on with it. Times are milliseconds.
let course = null; // { began, shown, answers: [{ mark, took, notes }], notes, ended }
let ticking;

function keep() {
  try { sessionStorage.setItem(key, JSON.stringify(course)); } catch { /* A reload begins anew. */ }
}

function recall() {
  try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; }
}

function clock(span) {
  const seconds = Math.max(0, Math.floor(span / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const timeIsUp = () => Date.now() - course.began >= whole;

function say(words) {
  if (part('alarm').textContent !== words) part('alarm').textContent = words;
}

function tick() {
  const left = whole - (Date.now() - course.began);
  const took = Date.now() - course.shown;
  part('this-clock').textContent = `${clock(took)} of ${clock(share)}`;
  part('this-clock').classList.toggle('over', took > share);
  part('whole-clock').textContent = left > 0 ? `${clock(left)} left` : 'time is up';
  part('whole-clock').classList.toggle('over', left < 60_000);
  if (left <= 0) say('Time is up. Mark this question: it is the last one.');
  else if (left < 60_000) say('Less than a minute is left.');
}

function show({ focus = true } = {}) {
  const card = cards[course.answers.length];
  part('before').hidden = true;
  part('during').hidden = false;
  part('marks').hidden = true;
  part('progress').textContent = `Question ${course.answers.length + 1} of ${cards.length}`;
  const heading = place(part('card'), card);
  // One thinks before one looks.
  card.querySelector('.reveal').before(notes.parentElement);
  notes.value = course.notes ?? '';
  if (focus) attend(heading, part('progress').parentElement);
  clearInterval(ticking);
  ticking = setInterval(tick, 500);
  tick();
  keep();
}

function start() {
  course = { began: Date.now(), shown: Date.now(), answers: [], notes: '', ended: false };
  show();
}

// The page has the answer in short; the whole one comes when it is looked at.
async function complete(reveal) {
  if (reveal.dataset.whole) return;
  const slug = reveal.closest('.flashcard').dataset.slug;
  try {
    const card = await cardOf(interview.dataset.cards, slug);
    const answer = card.querySelector('.reveal');
    while (reveal.children.length > 1) reveal.lastElementChild.remove();
    reveal.append(...[...answer.children].slice(1));
    reveal.dataset.whole = 'yes';
    reveal.dispatchEvent(new Event('arrived', { bubbles: true }));
  } catch { /* The short answer stands. */ }
}

function reveal() {
  const answer = part('card').querySelector('.reveal');
  if (!course || course.ended || !answer || answer.open) return false;
  answer.open = true;
  return true;
}

function mark(given) {
  if (!course || course.ended || part('marks').hidden) return false;
  course.answers.push({ mark: given, took: Date.now() - course.shown, notes: notes.value });
  course.notes = '';
  course.shown = Date.now();
  if (course.answers.length === cards.length || timeIsUp()) finish(); else show();
  return true;
}

// --- the summary ------------------------------------------------------------------------------------

function link(card) {
  const made = document.createElement('a');
  made.href = card.querySelector('.reveal > .fine a').href;
  made.textContent = card.querySelector('.stem').textContent;
  return made;
}

function tabulate(body, groups) {
  body.replaceChildren();
  for (const [name, marks] of groups) {
    addRow(body, [name, ...MARKS.map((word) => String(marks.filter((each) => each === word).length))]);
  }
}

function grouped(names) {
  const groups = new Map();
  course.answers.forEach(({ mark: given }, index) => {
    for (const name of names(cards[index])) groups.set(name, [...(groups.get(name) ?? []), given]);
  });
  return groups;
}

const missed = () => cards.filter((_, index) => course.answers[index]?.mark === 'missed');

function finish({ focus = true } = {}) {
  course.ended = true;
  keep();
  clearInterval(ticking);
  for (const id of ['before', 'during']) part(id).hidden = true;
  const tally = MARKS.map((word) => [word, course.answers.filter((each) => each.mark === word).length]);
  const took = course.answers.reduce((sum, each) => sum + each.took, 0);
  const open = cards.length - course.answers.length;
  part('after-lead').textContent = `${counted(course.answers.length, 'question')} in ${clock(took)}: ${
    tally.map(([word, number]) => `${number} ${word}`).join(', ')}${open ? `; ${open} not reached` : ''}.`;
  part('by-question').replaceChildren();
  cards.forEach((card, index) => {
    const answer = course.answers[index];
    const cell = document.createElement('div');
    cell.append(link(card));
    if (answer?.notes) cell.append(Object.assign(document.createElement('p'), { className: 'fine own', textContent: answer.notes }));
    addRow(part('by-question'), [cell, answer ? clock(answer.took) : '–', answer?.mark ?? 'not reached']);
  });
  const order = ['easy', 'medium', 'hard', 'none'];
  tabulate(part('by-difficulty'), [...grouped((card) => [card.dataset.difficulty])]
    .sort(([one], [other]) => order.indexOf(one) - order.indexOf(other)));
  tabulate(part('by-tag'), [...grouped((card) => card.dataset.tags.split(' ').filter(Boolean))].sort());
  for (const id of ['by-difficulty', 'by-tag']) part(id).closest('.table').hidden = !part(id).rows.length;
  part('learn').hidden = !missed().length || course.learnt;
  part('learn').textContent = `Study the ${counted(missed().length, 'missed question')}`;
  part('after').hidden = false;
  if (focus) part('after-title').focus();
}

async function learn() {
  part('learn').disabled = true;
  try {
    for (const { dataset } of missed()) {
      await writeGrade({ uid: dataset.uid, slug: dataset.slug, revision: Number(dataset.revision) }, 1, Date.now());
    }
    askToPersist();
    course.learnt = true;
    keep();
    part('learn').hidden = true;
    tell(part('said'), 'They are graded ‘again’: study mode asks them first.');
  } catch {
    part('learn').disabled = false;
    tell(part('said'), 'This browser lets nothing be kept here, so that they could not be added.');
  }
}

if (interview) {
  interview.addEventListener('toggle', (event) => {
    if (!event.target.matches('.reveal') || !event.target.open) return;
    part('marks').hidden = false;
    complete(event.target);
  }, true);
  interview.addEventListener('input', (event) => {
    if (event.target.id !== 'notes') return;
    course.notes = event.target.value;
    keep();
  });
  interview.addEventListener('click', (event) => {
    const pressed = event.target.closest('button');
    if (pressed?.dataset.mark) mark(pressed.dataset.mark);
    else if (pressed) ({ start, finish, learn })[pressed.id]?.();
  });
  onKeys({ ' ': reveal, 1: () => mark('missed'), 2: () => mark('partly'), 3: () => mark('well') });
  course = recall();
  if (course?.ended) finish({ focus: false });
  else if (course) show({ focus: false });
} else {
  // Whoever names no draw gets one by chance.
  const seed = document.querySelector('.ask #seed');
  if (seed && !new URLSearchParams(location.search).has('seed')) seed.value = Math.floor(Math.random() * 1e9);
}
