// What is typed is kept until it is saved: on the server, and in this tab where that cannot be.

const form = document.getElementById('editor');
const saved = document.getElementById('saved');
const key = form.dataset.key;
const version = form.elements.seen_version.value;
const draftName = `desk-draft:${key}`;
const pendingName = `desk-pending:${key}`;
// Milliseconds: into the tab after a pause in typing, to the server after a longer one, and
// while somebody types without one.
const TAB_AFTER = 500;
const SERVER_AFTER = 3_000;
const SERVER_AT_LAST = 20_000;
// What a browser still sends for a page that is being closed.
const BEACON_LIMIT = 60_000;

let dirty = 'unsaved' in form.dataset;
let sent = false;
let tabTimer;
let serverTimer;
let waitingSince = 0;
let sending = null;
let told = '';

function fields() {
  return [...new FormData(form)].filter(([name, value]) => typeof value === 'string' && name !== 'csrf_token' && name !== 'url');
}

function text(without = []) {
  return JSON.stringify(fields().filter(([name]) => !['form_id', ...without].includes(name)));
}

const first = text(['summary']);
// The text that the server has of this form.
let onServer = text();

function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

function say(words) {
  // The same words again would be read out again.
  if (saved && saved.textContent !== words) saved.textContent = words;
}

function changed() {
  dirty = 'unsaved' in form.dataset || text(['summary']) !== first;
  if (dirty) form.dataset.typed = '';
  // What was kept before is still true; only what was never kept is said to be open.
  say(dirty ? told || 'not saved' : '');
  clearTimeout(tabTimer);
  tabTimer = setTimeout(keepInTab, TAB_AFTER);
  if (!form.dataset.keep) return;
  waitingSince ||= Date.now();
  const after = Number(form.dataset.keepAfter || SERVER_AFTER);
  clearTimeout(serverTimer);
  serverTimer = setTimeout(keepOnServer, Math.max(0, Math.min(after, waitingSince + SERVER_AT_LAST - Date.now())));
}

// --- in this tab --------------------------------------------------------------------

function keepInTab() {
  if (!dirty) {
    sessionStorage.removeItem(draftName);
    return false;
  }
  try {
    sessionStorage.setItem(draftName, JSON.stringify({ version, at: Date.now(), fields: fields() }));
  } catch {
    return false;
  }
  if (!form.dataset.keep) tell('kept in this tab');
  return true;
}

function tell(words) {
  told = `not saved; ${words}`;
  say(dirty ? told : '');
}

// --- on the server ------------------------------------------------------------------

function posted() {
  const data = new FormData(form);
  data.delete('op');
  data.set('writer', form.dataset.writer);
  return data;
}

async function keepOnServer({ again = true } = {}) {
  clearTimeout(serverTimer);
  const wanted = text();
  if (sent || !form.dataset.keep || wanted === onServer) return;
  waitingSince = 0;
  sending?.abort();
  sending = new AbortController();
  const { signal } = sending;
  const response = await fetch(form.dataset.keep, { method: 'POST', body: posted(), signal }).catch(() => null);
  if (signal.aborted) return;
  if (response?.ok && !response.redirected) {
    onServer = wanted;
    const { kept_at: at } = await response.json();
    if (at) tell(`kept at ${clock(at)}`);
    // The tab's copy is for what the server does not have.
    if (text() === wanted) sessionStorage.removeItem(draftName);
    return;
  }
  if (response?.status === 400 && again && await renewToken()) {
    await keepOnServer({ again: false });
    return;
  }
  const why = {
    400: 'you logged in anew: save to go on',
    401: 'you are logged out',
    404: 'the question was deleted',
    409: 'somebody else is logged in here',
    422: 'the server cannot keep it',
  }[response?.status] || 'the server does not answer';
  tell(keepInTab() ? `kept in this tab alone: ${why}` : `${why}: copy your text`);
}

// Whoever logged in again in another window goes on here with the token of the new session.
async function renewToken() {
  const response = await fetch(form.action).catch(() => null);
  if (!response?.ok || response.redirected) return false;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const theirs = page.getElementById('editor');
  if (theirs?.dataset.writer !== form.dataset.writer) return false;
  for (const field of document.querySelectorAll('[name=csrf_token]')) field.value = theirs.elements.csrf_token.value;
  return true;
}

// A page that is left says what it has at once; nobody waits for the answer.
function keepOnLeaving() {
  if (sent || !dirty || !form.dataset.keep || text() === onServer) return;
  keepInTab();
  const data = posted();
  const size = fields().reduce((sum, [, value]) => sum + value.length * 2, 0);
  if (size < BEACON_LIMIT && navigator.sendBeacon(form.dataset.keep, data)) return;
  fetch(form.dataset.keep, { method: 'POST', body: data }).catch(() => null);
}

form.addEventListener('input', changed);
form.addEventListener('desk:changed', changed);
addEventListener('blur', () => { if (dirty) keepOnServer(); });
document.addEventListener('visibilitychange', () => { if (document.hidden) keepOnLeaving(); });
addEventListener('pagehide', keepOnLeaving);
form.addEventListener('submit', (event) => {
  if (event.submitter?.matches('[data-inplace]')) return;
  sent = true;
  clearTimeout(serverTimer);
  sending?.abort();
  keepInTab();
  sessionStorage.setItem(pendingName, version);
});
addEventListener('pageshow', () => { sent = false; });
addEventListener('beforeunload', (event) => {
  if (!dirty || sent) return;
  // Whoever leaves sooner than the next pause in typing finds the text again, too.
  keepInTab();
  event.preventDefault();
});
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-discard]');
  // What is offered is another text than the one that is typed here.
  if (!button || button.closest('#kept')) return;
  dirty = false;
  sent = true;
  sessionStorage.removeItem(draftName);
});

// --- text of before that this tab kept: drop it if it was saved since, else offer it ----

const restorable = document.getElementById('restorable');
const pending = sessionStorage.getItem(pendingName);
sessionStorage.removeItem(pendingName);
if (!key.endsWith(':new')) {
  // A new question's form leads to a question's page only once it is saved.
  const fresh = key.replace(/[^:]*$/, 'new');
  if (sessionStorage.getItem(`desk-pending:${fresh}`) !== null) {
    sessionStorage.removeItem(`desk-pending:${fresh}`);
    sessionStorage.removeItem(`desk-draft:${fresh}`);
  }
}
const held = JSON.parse(sessionStorage.getItem(draftName) || 'null');
if (held && !('unsaved' in form.dataset)) {
  const wasSaved = pending === held.version && pending !== version;
  const told = held.fields.filter(([name]) => !['summary', 'form_id'].includes(name));
  if (wasSaved || JSON.stringify(told) === first || !restorable) sessionStorage.removeItem(draftName);
  else offerDraft();
}

function offerDraft() {
  const words = Object.assign(document.createElement('p'), {
    textContent: `There is text from ${clock(held.at)} that was not saved${held.version === version ? '' : ', written before somebody else saved'}.`,
  });
  const restore = Object.assign(document.createElement('button'), { type: 'button', className: 'button small', textContent: 'Bring it back' });
  const drop = Object.assign(document.createElement('button'), { type: 'button', className: 'button quiet small', textContent: 'Discard it' });
  const verbs = Object.assign(document.createElement('p'), { className: 'verbs' });
  verbs.append(restore, drop);
  restorable.className = 'notice';
  restorable.replaceChildren(words, verbs);
  restorable.hidden = false;
  // Of the same form, the server has an older state at most.
  const kept = document.getElementById('kept');
  const [, formId] = held.fields.find(([name]) => name === 'form_id') || [];
  if (kept?.dataset.form === formId) kept.hidden = true;
  drop.addEventListener('click', () => {
    sessionStorage.removeItem(draftName);
    restorable.hidden = true;
    if (kept) kept.hidden = false;
  });
  restore.addEventListener('click', () => {
    // The server shows the form with this text, as it does after a refused save.
    const again = Object.assign(document.createElement('form'), { method: 'post', action: form.action, hidden: true });
    const entries = [...held.fields, ['csrf_token', form.elements.csrf_token.value], ['op', 'preview']];
    for (const [name, value] of entries) {
      const field = document.createElement('textarea');
      field.name = name;
      field.value = value;
      again.append(field);
    }
    document.body.append(again);
    sent = true;
    again.submit();
  });
}

if (dirty) {
  form.dataset.typed = '';
  keepInTab();
  if (form.dataset.keep) {
    // What came back after a log-in is not on the server yet; all else is.
    onServer = '';
    changed();
  }
}
