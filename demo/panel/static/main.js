/** The panel: who you are, which message, and what you do about it. */

import { createForm } from "./form.js";
import { make } from "./make.js";
import { createMessages } from "./messages.js";
import { Refused, picture, tell } from "./server.js";
import { createSwitch } from "./switch.js";
import { createTray } from "./tray.js";

const LOOK_EVERY = 1500;
const $ = (id) => document.getElementById(id);

let told = null;
let member = null;

const messages = createMessages($("messages"), showChoice);
const tray = createTray($("attached"), complain);
const form = createForm(report);

function complain(sentence) {
  if ($("news").textContent !== sentence) $("news").replaceChildren(make("p", { className: "bad" }, sentence));
}

function report(outcome) {
  const lines = outcome.private.map((text) => make("blockquote", {}, text));
  $("news").replaceChildren(make("p", { className: "good" }, outcome.note), ...lines);
}

/** Do one act of a visitor: one at a time, and its refusal is told. */
async function act(buttons, doing) {
  for (const button of buttons) button.disabled = true;
  try {
    await doing();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    complain(error.message);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
  showChoice();
}

function showChoice() {
  if (!told) return;
  const chosen = messages.chosen;
  const bot = told.bot;
  $("say-title").textContent = chosen ? `Reply to ${chosen.author}` : "Send a message";
  $("text").placeholder = chosen ? "make it snow" : "a red fox in snow";
  $("mention").disabled = Boolean(chosen?.bot);
  if (chosen?.bot) $("mention").checked = true;
  $("mention-label").textContent = chosen?.bot ? `Mentions @${bot}, as every reply to it does` : `Mention @${bot}`;
  $("apps-hint").textContent = !told.apps.length ? `${bot} has no commands on messages.`
    : chosen ? `On ${chosen.author}’s message, as from a right click on it.` : "Choose a message above first.";
  for (const button of $("apps").children) button.disabled = !chosen;
}

function showState() {
  tray.limit(told.picturesMax);
  if (!$("members").childElementCount) {
    $("members").replaceChildren(...told.members.map((one) => make("label", { className: "chip" },
      make("input", { type: "radio", name: "member", value: one.id, checked: one.id === told.member }),
      make("span", {}, one.name))));
    $("samples").append("or sample: ", ...told.samples.map((name) => {
      const button = make("button", { type: "button", className: "link" }, name);
      button.addEventListener("click", () => act([button], async () => {
        tray.add([new File([await picture(`samples/${name}`)], `${name}.jpg`, { type: "image/jpeg" })]);
      }));
      return button;
    }));
    $("preview").src = told.preview;
  }
  if ([...$("apps").children].map((button) => button.value).join("\n") !== told.apps.join("\n")) {
    $("apps").replaceChildren(...told.apps.map((name) => make("button", { className: "button quiet", value: name }, name)));
  }
  messages.update(told);
  showChoice();
}

async function look() {
  const asked = member;
  const answer = await tell(asked ? `state?member=${asked}` : "state");
  if (asked !== member) return;
  told = answer;
  member = told.member;
  showState();
}

async function keepLooking() {
  for (;;) {
    try {
      if (!document.hidden) await look();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      complain(error.message);
      if (!told) return;
    }
    await new Promise((wake) => { setTimeout(wake, LOOK_EVERY); });
  }
}

$("text").addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) tray.add(event.clipboardData.files);
});

$("members").addEventListener("change", (event) => {
  member = event.target.value;
  void act([], look);
});

$("files").addEventListener("change", () => {
  tray.add($("files").files);
  $("files").value = "";
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("say").requestSubmit();
});

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  void act([$("say").querySelector("[type=submit]")], async () => {
    const sent = new FormData();
    sent.append("member", member);
    sent.append("reply_to", messages.chosen?.id ?? "");
    sent.append("text", $("text").value);
    sent.append("mention", $("mention").checked ? "yes" : "no");
    for (const file of tray.files) sent.append("pictures", file, file.name);
    report(await tell("say", sent));
    $("text").value = "";
    tray.clear();
    await look();
  });
});

$("apps").addEventListener("click", (event) => {
  if (!(event.target instanceof HTMLButtonElement)) return;
  void act([...$("apps").children], async () => {
    const sent = new FormData();
    sent.append("member", member);
    sent.append("message", messages.chosen?.id ?? "");
    sent.append("app", event.target.value);
    const outcome = await tell("apps", sent);
    if (outcome.form) form.open(outcome.form);
    else report(outcome);
  });
});

createSwitch($("to-panel"), $("preview"), $("panel"));
void keepLooking();
