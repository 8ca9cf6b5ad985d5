// The forms in front: sign-in, set-up by the printed link, password reset, invitation.

import { ask } from "./api.js";
import { one, say } from "./page.js";

/** The forms that a link in a mail or from the server opens. */
const LINKS = ["set-up", "reset", "invitation"];

/** The form of such a link, and its secret. It stands behind the #, which no server is sent. */
let link = linked();

// It is no address to go back to, nor to copy.
if (link) history.replaceState(null, "", location.pathname + location.search);

// One that is opened while the page is open loads nothing by itself.
addEventListener("hashchange", () => linked() && location.reload());

function linked() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const form = LINKS.find((name) => parameters.has(name));
  return form && { form, secret: parameters.get(form) };
}

/** What each form does with its values; answers what to say next, or nothing when one is signed in. */
const DOES = {
  "sign-in": (input) =>
    ask("mutation SignIn($input: SignInInput!) { signIn(input: $input) { user { id } } }", { input: { ...input, as: "COOKIE" } }).catch((error) => {
      if (error.code === "UNAUTHENTICATED") error.message = "This address and this password do not belong together.";
      throw error;
    }),
  "set-up": (input, setUpKey) =>
    ask("mutation SetUp($input: RegisterInput!) { register(input: $input) { user { id } } }", { input: { ...input, setUpKey, as: "COOKIE" } }),
  invitation: (input, token) =>
    ask("mutation Join($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { user { id } } }", {
      input: { ...input, fullName: input.fullName || undefined, token, as: "COOKIE" },
    }),
  reset: async (input, token) => {
    await ask("mutation Reset($input: ResetPasswordInput!) { resetPassword(input: $input) { done } }", { input: { ...input, token } });
    return "Your password is set. Sign in with it.";
  },
  forgot: async ({ email }) => {
    await ask("mutation Forgot($email: String!) { requestPasswordReset(input: { email: $email }) { done } }", { email });
    return `If somebody here has the address ${email}, a mail with a link is on its way to it.`;
  },
};

const TITLES = { "sign-in": "Sign in", "set-up": "Set up", forgot: "Reset your password", reset: "Choose a new password", invitation: "Join" };

/** Whether the address is such a link, which goes before a session that is there already. */
export const byLink = () => link !== undefined;

/** Shows the form that is wanted, with a message above it; `entered` is called once one is signed in. */
export function open(entered, message) {
  for (const form of forms()) form.onsubmit = (event) => submit(event, form, entered);
  for (const button of document.querySelectorAll("[data-show]")) button.onclick = () => show(button.dataset.show);
  const demo = document.querySelector("meta[name=demo]");
  if (demo.content) {
    one("si-email").value = demo.content;
    one("si-password").value = demo.dataset.password;
    one("demo-note").hidden = false;
    one("new-note").hidden = true;
  }
  show(link?.form ?? "sign-in", message);
}

const forms = () => document.querySelectorAll("#gate form");

function show(id, message) {
  for (const form of forms()) form.hidden = form.id !== id;
  document.title = `${TITLES[id]} – Kontor`;
  say(one("gate-said"), message);
  clear(one(id));
  one("gate").hidden = false;
  const inputs = [...one(id).querySelectorAll("input")];
  // a sign-in that is filled in needs no more than Enter
  (inputs.find((input) => !input.value) ?? one(id).querySelector("button.first")).focus();
}

async function submit(event, form, entered) {
  event.preventDefault();
  const button = form.querySelector("button.first");
  if (button.ariaDisabled === "true") return;
  clear(form);
  // not `disabled`: that would take the focus away
  button.ariaDisabled = "true";
  try {
    const next = await DOES[form.id](Object.fromEntries(new FormData(form)), link?.secret);
    // it is spent
    link = undefined;
    for (const input of form.querySelectorAll("input[name=password]")) input.value = "";
    if (typeof next === "string") show("sign-in", next);
    else entered();
  } catch (error) {
    complain(form, error);
  } finally {
    button.ariaDisabled = null;
  }
}

function clear(form) {
  say(form.querySelector(".notice.bad"));
  for (const wrong of form.querySelectorAll(".wrong")) wrong.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    describe(input, form.querySelector(".hint"));
  }
}

/** Reads what belongs to an input together with it: its hint, what is wrong with it. */
function describe(input, ...texts) {
  const ids = texts.filter((text) => text && input.closest(".field").contains(text)).map((text) => text.id);
  if (ids.length) input.setAttribute("aria-describedby", ids.join(" "));
  else input.removeAttribute("aria-describedby");
}

/** What is wrong with a field stands below it; all else above the form. */
function complain(form, error) {
  const known = Object.entries(error.fields ?? {}).filter(([name]) => form.elements[name]);
  for (const [name, message] of known) {
    const input = form.elements[name];
    const wrong = document.createElement("p");
    wrong.className = "wrong";
    wrong.id = `${input.id}-wrong`;
    wrong.textContent = `This ${message}.`;
    input.closest(".field").append(wrong);
    input.setAttribute("aria-invalid", "true");
    describe(input, form.querySelector(".hint"), wrong);
  }
  if (known.length) form.elements[known[0][0]].focus();
  else say(form.querySelector(".notice.bad"), error.message);
}

/** Lets people see the passwords they type. */
for (const input of document.querySelectorAll("#gate input[type=password]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  const name = (verb) => {
    button.textContent = verb;
    button.ariaLabel = `${verb} the password`;
  };
  name("Show");
  button.onclick = () => {
    const hidden = input.type === "password";
    input.type = hidden ? "text" : "password";
    name(hidden ? "Hide" : "Show");
  };
  input.after(button);
}
