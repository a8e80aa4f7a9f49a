/** The images attached to the message being written. */

import { create } from "./dom.js";

const FILE_MAX_BYTES = 10 * 1024 * 1024;

/** A list of files shown in `list`; `showError` takes a sentence when one does not fit. */
export function createAttachments(list, showError) {
  let files = [];
  let max = 8;

  function show() {
    for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    list.replaceChildren(...files.map((file) => {
      const remove = create("button", { type: "button", className: "remove", "aria-label": `Remove ${file.name}` }, "×");
      remove.addEventListener("click", () => {
        files = files.filter((other) => other !== file);
        show();
        (list.querySelector(".remove") ?? document.getElementById("files")).focus();
      });
      return create("li", { title: file.name }, create("img", { src: URL.createObjectURL(file), alt: file.name }), remove);
    }));
  }

  return {
    limit(number) { max = number; },
    add(added) {
      for (const file of added) {
        if (files.length >= max) {
          showError(`You can attach up to ${max} images.`);
          break;
        }
        if (file.size > FILE_MAX_BYTES) showError(`${file.name} is larger than 10 MiB, Discord’s limit.`);
        else files.push(file);
      }
      show();
    },
    clear() { files = []; show(); },
    get files() { return files; },
  };
}
