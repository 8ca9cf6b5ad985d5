// The newest contacts and the counts, kept as they are on the server.
//
// Changes tell that something is different, not what it looks like now: after each burst of them
// one question fetches the present state, so what is shown is always a state that there was.

import { ask } from "./api.js";
import { ago, count, element, inFull, initials, one, say, tint } from "./page.js";

const PRESENT = `query Latest {
  contacts(first: 10) { totalCount nodes { id version displayName email title createdAt account { name } } }
  accounts(first: 1) { totalCount }
}`;

const CHANGES = `subscription Changes($kind: RecordKind!, $after: String) { recordChanged(kind: $kind, after: $after) { cursor } }`;

// Between two questions during a burst of changes, in milliseconds.
const PAUSE = 400;

let shown = new Map();
let asking = false;
let again = false;

/** Shows them and follows what changes; `ended` is called where the session is no more. */
export function watch(live, ended) {
  const refresh = () => present(ended);
  refresh();
  for (const kind of ["CONTACT", "ACCOUNT"]) follow(live, kind, refresh);
  setInterval(() => {
    for (const time of document.querySelectorAll("#latest time")) time.textContent = ago(new Date(time.dateTime));
  }, 30000);
}

function follow(live, kind, refresh) {
  let after;
  let connected = false;
  live.follow(CHANGES, {
    variables: () => ({ kind, after }),
    // without a cursor nobody tells what happened between two connections
    begun: () => {
      if (connected && !after) refresh();
      connected = true;
    },
    next: ({ recordChanged }) => {
      after = recordChanged.cursor;
      refresh();
    },
    refused: (error) => {
      if (error.code !== "CURSOR_EXPIRED") return say(one("latest-wrong"), `Changes are not shown live: ${error.message}`);
      refresh();
      follow(live, kind, refresh);
    },
  });
}

async function present(ended) {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  const started = performance.now();
  try {
    draw(await ask(PRESENT));
    say(one("latest-wrong"));
  } catch (error) {
    if (error.code === "UNAUTHENTICATED") return ended();
    say(one("latest-wrong"), error.message);
    again = true;
  }
  // a question that is dear for the server is asked less often
  setTimeout(() => {
    asking = false;
    if (again) {
      again = false;
      present(ended);
    }
  }, Math.max(PAUSE, 4 * (performance.now() - started)));
}

function draw({ contacts, accounts }) {
  one("contacts").textContent = count(contacts.totalCount);
  one("accounts").textContent = count(accounts.totalCount);
  const first = !one("waiting").hidden;
  one("waiting").hidden = true;
  one("none").hidden = contacts.nodes.length > 0;
  one("latest").hidden = contacts.nodes.length === 0;
  const present = new Map();
  for (const contact of contacts.nodes) {
    const known = shown.get(contact.id);
    if (known?.version === contact.version) present.set(contact.id, known);
    else present.set(contact.id, { version: contact.version, row: row(contact, !first) });
  }
  shown = present;
  one("latest").replaceChildren(...[...present.values()].map(({ row }) => row));
}

function row(contact, isNew) {
  const face = element("span", `face ${tint(contact.id)}`, initials(contact.displayName));
  face.ariaHidden = "true";
  const about = [contact.title, contact.account?.name].filter(Boolean).join(", ");
  const name = element("span", "two", element("b", "", contact.displayName));
  if (about) name.append(element("small", "quiet", about));
  const created = new Date(contact.createdAt);
  const time = element("time", "", ago(created));
  time.dateTime = contact.createdAt;
  time.title = `Added ${inFull(created)}`;
  const mail = contact.email && contact.email !== contact.displayName ? contact.email : "";
  return element("li", isNew ? "new" : "", face, name, element("span", "mail", mail), time);
}
