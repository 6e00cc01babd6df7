// Names are offered while one types an @ in a comment; without scripts they are typed whole.

const OFFERED = 8;

for (const area of document.querySelectorAll('textarea[data-mentions]')) offer(area);

function offer(area) {
  const names = JSON.parse(area.dataset.mentions);
  const list = Object.assign(document.createElement('ul'), { id: `${area.id}-names`, hidden: true });
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'People');
  area.setAttribute('aria-autocomplete', 'list');
  area.setAttribute('aria-controls', list.id);
  area.after(list);
  let at = -1;

  // What stands between the @ and the caret; null where no name is being typed.
  const typed = () => {
    if (area.selectionStart !== area.selectionEnd) return null;
    const before = area.value.slice(0, area.selectionStart);
    const found = before.match(/(?:^|[^\w])@([^@\n]{0,63})$/);
    return found ? found[1].toLowerCase() : null;
  };

  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    area.removeAttribute('aria-activedescendant');
    at = -1;
  };

  const point = (index) => {
    at = (index + list.children.length) % list.children.length;
    [...list.children].forEach((each, place) => each.setAttribute('aria-selected', String(place === at)));
    area.setAttribute('aria-activedescendant', list.children[at].id);
    list.children[at].scrollIntoView({ block: 'nearest' });
  };

  const show = () => {
    const begun = typed();
    const fit = begun === null ? [] : names.filter((name) => name.toLowerCase().startsWith(begun) && name.toLowerCase() !== begun);
    if (!fit.length) { close(); return; }
    list.replaceChildren(...fit.slice(0, OFFERED).map((name, index) => {
      const option = Object.assign(document.createElement('li'), { id: `${list.id}-${index}`, textContent: name });
      option.setAttribute('role', 'option');
      return option;
    }));
    list.hidden = false;
    point(0);
  };

  const take = (name) => {
    const end = area.selectionStart;
    const start = end - typed().length;
    area.setRangeText(`${name} `, start, end, 'end');
    area.dispatchEvent(new Event('input', { bubbles: true }));
    area.focus();
    close();
  };

  area.addEventListener('input', show);
  area.addEventListener('blur', close);
  area.addEventListener('keydown', (event) => {
    if (list.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) point(at + step);
    else if (event.key === 'Enter' || (event.key === 'Tab' && !event.shiftKey)) take(list.children[at].textContent);
    else if (event.key === 'Escape') close();
    else return;
    event.preventDefault();
  });
  // The focus stays in the text.
  list.addEventListener('pointerdown', (event) => event.preventDefault());
  list.addEventListener('click', (event) => {
    const option = event.target.closest('[role=option]');
    if (option) take(option.textContent);
  });
}
