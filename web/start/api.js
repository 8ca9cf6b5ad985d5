// Speaks to the API with the session's cookie: questions over HTTP, what is live over one websocket.

/** Why the server refused. `code` is one of the API's; `fields` maps input fields to what is wrong. */
export class Refusal extends Error {
  constructor(message, code = "UNAVAILABLE", fields = {}) {
    super(message);
    this.code = code;
    this.fields = fields;
  }

  static of(error) {
    const { code, fields } = error.extensions ?? error;
    return new Refusal(error.message, code, fields);
  }
}

const SILENT = "The server does not answer. Check that it runs, and that you are online.";

/** The `data` of a query or mutation; throws a Refusal. */
export async function ask(query, variables = {}) {
  const answer = await send("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json, application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const error = answer.errors?.[0];
  if (error) throw Refusal.of(error);
  if (!answer.data) throw Refusal.of(answer);
  return answer.data;
}

/** The JSON of a REST answer; throws a Refusal. */
export async function get(path) {
  const answer = await send(path, {});
  if (answer.code && answer.message && !answer.id) throw Refusal.of(answer);
  return answer;
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(SILENT);
  }
  return response.json().catch(() => {
    throw new Refusal(response.ok ? "The server's answer cannot be read." : `The server answered with status ${response.status}.`);
  });
}

/** Sends a form, telling how much of it has gone as a part of 1; resolves to the JSON answer. */
export function upload(path, form, went) {
  return new Promise((resolve, reject) => {
    // fetch cannot tell how much it has sent
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && went(event.loaded / event.total);
    request.onerror = () => reject(new Refusal("The upload broke off. Check your connection and try again."));
    request.onload = () => {
      const { status, response } = request;
      if (status >= 200 && status < 300 && response) resolve(response);
      else reject(response?.message ? Refusal.of(response) : new Refusal(`The server answered with status ${status}.`));
    };
    request.send(form);
  });
}

// Close codes after which connecting again would end the same way.
const FINAL = new Set([4400, 4401, 4403, 4406, 4409]);

/**
 * Subscriptions by the graphql-transport-ws protocol over one websocket, which is opened when needed
 * and opened again when it breaks. `told` gets "live", "connecting" or "ended".
 */
export class Live {
  #told;
  #socket;
  #ready = false;
  #failures = 0;
  #timer;
  #subscriptions = new Map();
  #last = 0;

  constructor(told) {
    this.#told = told;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /**
   * Follows a subscription; returns a function that stops it. `variables` is called at each
   * (re)connection, so that it can say where to go on. `refused` gets a Refusal, after which it is over.
   */
  follow(query, { variables = () => ({}), next, done = () => {}, refused = () => {}, begun = () => {} }) {
    const id = String(++this.#last);
    this.#subscriptions.set(id, { query, variables, next, done, refused, begun });
    if (this.#ready) this.#subscribe(id);
    else this.#open();
    return () => {
      if (!this.#subscriptions.delete(id)) return;
      if (this.#ready) this.#send({ id, type: "complete" });
    };
  }

  /** Ends everything, for good or until the next `follow`. */
  end() {
    this.#subscriptions.clear();
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#ready = false;
    socket?.close(1000);
  }

  #hurry() {
    if (this.#subscriptions.size && !this.#socket) {
      clearTimeout(this.#timer);
      this.#open();
    }
  }

  #open() {
    if (this.#socket) return;
    this.#told("connecting");
    const address = new URL("/graphql", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, "graphql-transport-ws");
    this.#socket = socket;
    socket.onopen = () => this.#send({ type: "connection_init" });
    socket.onmessage = (event) => this.#socket === socket && this.#take(JSON.parse(event.data));
    socket.onclose = (event) => this.#socket === socket && this.#closed(event.code);
  }

  #closed(code) {
    this.#socket = undefined;
    this.#ready = false;
    if (FINAL.has(code)) {
      this.#told("ended");
      return;
    }
    this.#told("connecting");
    // not all browsers at the same moment after a restart
    const wait = Math.min(500 * 2 ** this.#failures++, 15000) * (0.6 + 0.8 * Math.random());
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  #take(message) {
    const subscription = this.#subscriptions.get(message.id);
    switch (message.type) {
      case "connection_ack":
        this.#ready = true;
        this.#failures = 0;
        for (const id of this.#subscriptions.keys()) this.#subscribe(id);
        this.#told("live");
        break;
      case "ping":
        this.#send({ type: "pong" });
        break;
      case "next": {
        const error = message.payload.errors?.[0];
        if (error) this.#refuse(message.id, error);
        else subscription?.next(message.payload.data);
        break;
      }
      case "error":
        this.#refuse(message.id, message.payload[0]);
        break;
      case "complete":
        this.#subscriptions.delete(message.id);
        subscription?.done();
        break;
    }
  }

  #refuse(id, error) {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    subscription?.refused(Refusal.of(error));
  }

  #subscribe(id) {
    const { query, variables, begun } = this.#subscriptions.get(id);
    this.#send({ id, type: "subscribe", payload: { query, variables: variables() } });
    begun();
  }

  #send(message) {
    this.#socket?.send(JSON.stringify(message));
  }
}
