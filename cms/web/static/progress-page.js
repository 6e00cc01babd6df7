// The page 'Study': how much is known, and its file.

import { counted, tell } from './cards.js';
import * as progress from './progress.js';

const part = (id) => document.getElementById(id);
const memory = part('memory');
const sure = part('sure');
// A file of more than this holds something else.
const LARGEST = 100_000_000; // bytes

async function show() {
  const found = await progress.counts(Date.now());
  for (const place of memory.querySelectorAll('[data-count]')) {
    place.textContent = found[place.dataset.count].toLocaleString('en');
  }
}

async function save() {
  const now = Date.now();
  const address = URL.createObjectURL(new Blob([await progress.written(now)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `question-bank-progress-${new Date(now).toISOString().slice(0, 10)}.json`;
  link.click();
  URL.revokeObjectURL(address);
}

async function bringIn(file) {
  if (file.size > LARGEST) throw new progress.DamagedFile('This file is too large to be progress that was saved here. Nothing was changed.');
  const said = await progress.merge(progress.read(await file.text()));
  await progress.askToPersist();
  tell(part('said'), `${counted(said.added, 'card')} added, ${said.newer} taken from the file because they were reviewed later there, ${said.kept} kept as they are here.`);
}

async function guarded(action) {
  try {
    await action();
    await show();
  } catch (error) {
    tell(part('said'), error instanceof progress.DamagedFile ? error.message : 'This browser lets nothing be kept here, so that nothing was changed. In a private window that is as it should be; else look at its settings for this site.');
  }
}

part('export').addEventListener('click', () => guarded(save));
part('choose').addEventListener('click', () => part('import').click());
part('import').addEventListener('change', (event) => {
  const [file] = event.target.files;
  if (file) guarded(() => bringIn(file));
  // The same file can be chosen again.
  event.target.value = '';
});
part('forget').addEventListener('click', () => {
  sure.returnValue = '';
  sure.showModal();
});
sure.addEventListener('close', () => {
  if (sure.returnValue === 'forget') {
    guarded(async () => {
      await progress.forgetAll();
      tell(part('said'), 'Everything is forgotten: all cards are new.');
    });
  }
});
// What another tab graded is told when this one is looked at again.
document.addEventListener('visibilitychange', () => { if (!document.hidden) guarded(async () => {}); });
guarded(async () => {});
