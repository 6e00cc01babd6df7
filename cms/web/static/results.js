// Where a site stands in files, its list of questions shows what a search finds. It runs before the
// first paint, so that the whole list does not stand there first: hence no module.

(() => {
  const asked = new URLSearchParams(location.search);
  const query = (asked.get('q') ?? '').replace(/\s+/g, ' ').trim().slice(0, 200);
  const root = document.documentElement;

  // An address of the live site: its tags and difficulties have pages of their own.
  function elsewhere() {
    const [name, value] = ['tag', 'difficulty'].map((each) => [each, asked.get(each)]).find((pair) => pair[1]) ?? [];
    if (!value || !/^[a-z0-9/-]+$/.test(value)) return;
    const index = document.querySelector('[data-index]').dataset.index;
    location.replace(new URL(name === 'tag' ? `../tags/${value}/` : `../questions/difficulty/${value}/`, new URL(index, document.baseURI)));
  }

  if (!query) {
    if (asked.has('tag') || asked.has('difficulty')) document.addEventListener('DOMContentLoaded', elsewhere);
    return;
  }
  root.dataset.searching = 'on';
  document.addEventListener('DOMContentLoaded', async () => {
    const place = document.getElementById('found');
    try {
      const { showResults } = await import('./found.js');
      await showResults(place, query, Math.max(1, Number(asked.get('page')) || 1));
    } catch {
      delete root.dataset.searching;
      place.className = 'notice warm';
      place.textContent = 'The search did not come: its files cannot be reached. Here are all questions.';
    }
    place.hidden = false;
  });
})();
