// An image comes into a text by paste, by drop or by choosing a file: described first, then it
// stands at the cursor. Without scripts the same fields are sent with the form.

const form = document.getElementById('editor');
const box = form.querySelector('[data-images]');

if (box) {
  const [file, words, button, said] = ['#image', '#image_words', '[value=add-image]', '[data-image-said]'].map((each) => box.querySelector(each));
  // Nothing of it belongs to the text: what keeps and previews that must not send files along.
  const own = Object.assign(document.createElement('form'), { id: 'image-form', hidden: true });
  document.body.append(own);
  box.querySelectorAll('input, select, button').forEach((each) => each.setAttribute('form', own.id));
  box.querySelector('[data-image-into]').hidden = true;

  let place = null;
  const remember = (event) => {
    const area = event.target;
    if (area.matches?.('textarea[data-body]')) place = { area, start: area.selectionStart, end: area.selectionEnd };
  };
  for (const kind of ['focusin', 'input', 'keyup', 'pointerup', 'focusout']) form.addEventListener(kind, remember);

  const target = () => {
    if (place?.area.isConnected) return place;
    const area = form.querySelector('#answers textarea[data-body]') || form.querySelector('textarea[data-body]');
    return { area, start: area.value.length, end: area.value.length };
  };

  const pictureOf = (data) => [...data.files].find((each) => each.type.startsWith('image/'));

  function offer(picture, area) {
    place = { area, start: area.selectionStart, end: area.selectionEnd };
    const held = new DataTransfer();
    held.items.add(picture);
    file.files = held.files;
    box.open = true;
    said.textContent = 'Describe the image, then add it.';
    words.focus();
  }

  form.addEventListener('paste', (event) => {
    const area = event.target;
    // What is copied from a table or a text has a picture beside its words: the words are meant.
    if (!area.matches('textarea[data-body]') || area.readOnly || event.clipboardData.types.includes('text/plain')) return;
    const picture = pictureOf(event.clipboardData);
    if (!picture) return;
    event.preventDefault();
    offer(picture, area);
  });
  form.addEventListener('dragover', (event) => {
    if (event.target.matches('textarea[data-body]') && event.dataTransfer.types.includes('Files')) event.preventDefault();
  });
  form.addEventListener('drop', (event) => {
    const area = event.target;
    if (!area.matches('textarea[data-body]') || area.readOnly) return;
    const picture = pictureOf(event.dataTransfer);
    if (!picture) return;
    event.preventDefault();
    offer(picture, area);
  });

  function put(markdown) {
    const { area, start, end } = target();
    area.focus();
    area.setSelectionRange(start, end);
    // The only way in which the browser's own undo stays whole.
    if (!document.execCommand('insertText', false, markdown)) {
      area.setRangeText(markdown, start, end, 'end');
      area.dispatchEvent(new Event('input', { bubbles: true }));
    }
  }

  async function add() {
    if (button.getAttribute('aria-disabled')) return;
    const data = new FormData();
    data.set('csrf_token', form.elements.csrf_token.value);
    data.set('image_words', words.value);
    if (file.files[0]) data.set('image', file.files[0]);
    button.setAttribute('aria-disabled', 'true');
    said.textContent = 'Uploading …';
    const response = await fetch(box.dataset.images, { method: 'POST', body: data }).catch(() => null);
    button.removeAttribute('aria-disabled');
    const ours = response?.ok && !response.redirected;
    const answer = ours ? await response.json() : {};
    if (!answer.markdown) {
      const lost = response?.status === 401 ? 'you are logged out.' : 'the server does not take it.';
      said.textContent = answer.problem || `Not uploaded: ${lost}`;
      (answer.problem && file.files[0] ? words : file).focus();
      return;
    }
    said.textContent = 'The image stands in the text.';
    file.value = '';
    words.value = '';
    box.open = false;
    put(answer.markdown);
  }

  own.addEventListener('submit', (event) => { event.preventDefault(); add(); });
}
