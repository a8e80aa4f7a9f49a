/** A form that the bot opened, shown as Discord shows a modal. */

import { make } from "./make.js";
import { Refused, tell } from "./server.js";

const SELECT = 3, TEXT = 4, NOTE = 10, FILES = 19, PARAGRAPH = 2;

function field(question, id) {
  const common = { id, name: question.custom_id, required: question.required };
  switch (question.type) {
    case TEXT: {
      const properties = { ...common, placeholder: question.placeholder ?? "", value: question.value ?? "",
        maxLength: question.max_length ?? 4000 };
      return question.style === PARAGRAPH ? make("textarea", { ...properties, rows: 4 })
        : make("input", { ...properties, type: "text", autocomplete: "off" });
    }
    case SELECT: {
      const several = question.max_values > 1;
      const options = question.options.map((option) => make("option", {
        value: option.value, selected: option.default, title: option.description,
      }, option.label));
      const none = !several && !question.options.some((option) => option.default);
      const empty = none ? [make("option", { value: "", selected: true }, question.placeholder ?? "Choose")] : [];
      return make("select", { ...common, multiple: several }, ...empty, ...options);
    }
    case FILES:
      return make("input", { ...common, type: "file", multiple: question.max_values > 1 });
    default:
      return make("p", { className: "unknown", id }, "The demo cannot show this kind of field.");
  }
}

function row(question, number) {
  if (question.type === NOTE) return make("p", { className: "note" }, question.content ?? "");
  const id = `question-${number}`;
  const input = field(question, id);
  const star = question.required ? make("span", { className: "star", "aria-hidden": "true" }, " *") : null;
  const hint = question.description ? make("small", { id: `${id}-hint` }, question.description) : null;
  if (hint) input.setAttribute("aria-describedby", hint.id);
  return make("div", { className: "question" }, make("label", { htmlFor: id }, question.label ?? "", star), hint, input);
}

/** A dialog for forms; `done` takes what came of sending one. */
export function createForm(done) {
  const [dialog, form, questions, problem, title] = ["dialog", "form", "questions", "problem", "dialog-title"]
    .map((id) => document.getElementById(id));
  let handle = "";

  for (const id of ["dialog-close", "dialog-cancel"]) {
    document.getElementById(id).addEventListener("click", () => dialog.close());
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    problem.textContent = "";
    try {
      const outcome = await tell(`forms/${encodeURIComponent(handle)}`, new FormData(form));
      dialog.close();
      done(outcome);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      problem.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });

  return {
    /** Show a form as the server told it. */
    open(told) {
      handle = told.handle;
      title.textContent = told.title;
      problem.textContent = "";
      questions.replaceChildren(...told.questions.map(row));
      dialog.showModal();
      questions.querySelector("textarea, input, select")?.focus();
    },
  };
}
