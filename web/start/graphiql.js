// The explorer: GraphiQL over the session's cookie, queries by HTTP and subscriptions by websocket.

/* global React, ReactDOM, GraphiQL, graphqlWs */

const TABS = [
  { query: `# Who am I, and what may I do? Ctrl Enter runs it.\nquery Viewer {\n  viewer {\n    user { fullName email role }\n    workspace { name timeZone }\n    permissions\n  }\n}\n` },
  { query: `# A page of contacts. Pass endCursor as "after" for the next one.\nquery Contacts($search: String, $after: String) {\n  contacts(first: 20, search: $search, after: $after) {\n    totalCount\n    nodes {\n      id\n      displayName\n      email\n      account { name }\n      owner { fullName }\n    }\n    pageInfo { hasNextPage endCursor }\n  }\n}\n`, variables: `{\n  "search": null,\n  "after": null\n}` },
  { query: `# Runs until you stop it: change a contact, and see it here.\n# With "after" it first tells what has happened since that cursor.\nsubscription Changes($after: String) {\n  recordChanged(kind: CONTACT, after: $after) {\n    cursor\n    occurredAt\n    action\n    changes { field before after }\n    record { id displayName version }\n  }\n}\n` },
];

const url = new URL("/graphql", location.href);
const socket = new URL(url);
socket.protocol = socket.protocol.replace("http", "ws");

const wsClient = graphqlWs.createClient({ url: socket.href, retryAttempts: 20, shouldRetry: () => true });
const fetcher = GraphiQL.createFetcher({ url: url.href, wsClient });

const parameters = new URLSearchParams(location.search);
const query = parameters.get("query") ?? undefined;
const variables = parameters.get("variables") ?? undefined;

const root = ReactDOM.createRoot(document.getElementById("explorer"));
root.render(React.createElement(GraphiQL, { fetcher, defaultTabs: TABS, query, variables, defaultEditorToolsVisibility: variables ? "variables" : undefined }));

tellStanding();
if (isSubscription(query)) runWhenReady();

async function tellStanding() {
  const place = document.getElementById("standing");
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ viewer { user { fullName } workspace { name } } }" }),
    });
    const { data, errors } = await response.json();
    if (data?.viewer) {
      place.textContent = `${data.viewer.user.fullName}, ${data.viewer.workspace.name}`;
    } else if (errors?.[0]?.extensions?.code === "UNAUTHENTICATED") {
      const link = document.createElement("a");
      link.textContent = "Sign in";
      link.href = `/?${new URLSearchParams({ next: location.pathname + location.search })}`;
      place.className = "stranger";
      place.append("You are not signed in, so the schema and most fields stay closed. ", link);
    } else {
      place.textContent = errors?.[0]?.message ?? "The server does not answer.";
    }
  } catch {
    place.textContent = "The server does not answer.";
  }
}

/** One subscription and nothing else. It changes nothing, so a link may start it. */
function isSubscription(text = "") {
  return (text.match(/\b(query|mutation|subscription|fragment)\b|^\s*\{/g) ?? []).join() === "subscription";
}

function runWhenReady() {
  const watcher = new MutationObserver(() => {
    const editor = document.querySelector(".graphiql-query-editor .CodeMirror");
    if (editor?.CodeMirror?.getValue().trim() !== query.trim()) return;
    watcher.disconnect();
    // the editor tells its frame a moment later which operations there are
    setTimeout(() => document.querySelector(".graphiql-execute-button").click(), 300);
  });
  watcher.observe(document.getElementById("explorer"), { childList: true, subtree: true, characterData: true });
}
