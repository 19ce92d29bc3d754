/**
 * A box for text that tells what is written, but nothing while a letter is still being composed.
 */

/**
 * Call back with every text that is written, pasted or dropped.
 *
 * Where a letter is composed of several keys, as in Chinese, the text is told when it is chosen.
 * @param {HTMLTextAreaElement | HTMLInputElement} box
 * @param {(text: string) => void} written
 */
export function onWritten(box, written) {
  let composing = false;
  let told = box.value;
  const tell = () => {
    if (box.value === told) return;
    told = box.value;
    written(box.value);
  };
  box.addEventListener("compositionstart", () => (composing = true));
  box.addEventListener("compositionend", () => {
    composing = false;
    tell();
  });
  box.addEventListener("input", (event) => {
    if (composing || event.isComposing) return;
    tell();
  });
  return {
    /** Write a text into the box, unless somebody composes one there. */
    set(text) {
      if (composing) return;
      told = text;
      if (box.value !== text) box.value = text;
    },
  };
}
