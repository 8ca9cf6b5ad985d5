// The start page: shows the gate to strangers and home to whoever is signed in.

import { Live, ask } from "./api.js";
import * as gate from "./gate.js";
import { offer } from "./import.js";
import { watch } from "./latest.js";
import { initials, one } from "./page.js";

const VIEWER = "query Viewer { viewer { user { id fullName email role } workspace { name } permissions } }";
const ROLES = { ADMIN: "Admin", MANAGER: "Manager", SALES_REP: "Sales", SUPPORT: "Support" };
const STATES = { live: "Live", connecting: "Reconnecting…", ended: "Not live" };

one("again").onclick = () => location.reload();
one("sign-out").onclick = signOut;

if (gate.byLink()) showGate();
else enter();

async function enter() {
  try {
    const { viewer } = await ask(VIEWER);
    const next = new URLSearchParams(location.search).get("next");
    // nowhere but to the explorer: a link must not be able to send people elsewhere
    if (next === "/graphiql" || next?.startsWith("/graphiql?")) return location.replace(next);
    home(viewer);
  } catch (error) {
    if (error.code === "UNAUTHENTICATED") return showGate();
    one("opening").hidden = true;
    one("trouble-why").textContent = error.message;
    one("trouble").hidden = false;
  }
}

function showGate(message) {
  one("opening").hidden = one("home").hidden = true;
  gate.open(() => location.reload(), message);
}

function home({ user, workspace, permissions }) {
  const live = new Live((state) => {
    one("live").dataset.state = state;
    one("live").textContent = STATES[state];
    if (state === "ended") ended();
  });
  const ended = () => {
    live.end();
    showGate("Your session has ended. Sign in again.");
  };
  document.title = `${workspace.name} – Kontor`;
  one("workspace").textContent = workspace.name;
  one("name").textContent = user.fullName;
  one("role").textContent = ROLES[user.role] ?? user.role;
  one("face").textContent = initials(user.fullName);
  one("opening").hidden = true;
  one("home").hidden = false;
  offer(permissions.some((permission) => permission.startsWith("imports:run")), live);
  watch(live, ended);
}

async function signOut() {
  await ask("mutation SignOut { signOut { done } }").catch(() => {});
  location.assign("/");
}
