// The import panel: choose a file, send it, watch its progress, see what became of it.

import { get, upload } from "./api.js";
import { bytes, count, element, one, rows, say } from "./page.js";
import { sample } from "./sample.js";

const ROUTE = "/api/v1/import";
const ENDED = ["completed", "failed", "cancelled"];
const FIELDS = "status processed total succeeded skipped failed ratePerSecond secondsLeft message";

let file;
let live;
let dragged = 0;

/** Makes the panel work, for a caller who may import or may not. */
export function offer(allowed, socket) {
  live = socket;
  one("no-import").hidden = allowed;
  one("choose").hidden = !allowed;
  one("file").onchange = () => choose(one("file").files[0]);
  one("other").onclick = () => choose(undefined);
  one("sample").onclick = () => choose(sample(10_000));
  one("another").onclick = () => restart();
  one("choose").onsubmit = (event) => {
    event.preventDefault();
    if (file) send();
  };
  if (allowed) takeDrops();
}

/** A file may be dropped anywhere on the page: beside the target the browser would open it. */
function takeDrops() {
  const over = (yes) => one("drop").classList.toggle("over", yes);
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");
  const free = () => !one("choose").hidden;
  addEventListener("dragenter", (event) => holdsFile(event) && free() && over(++dragged > 0));
  addEventListener("dragleave", (event) => holdsFile(event) && free() && over(--dragged > 0));
  addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    dragged = 0;
    over(false);
    if (!free()) return;
    if (event.dataTransfer.files.length > 1) say(one("choose-wrong"), "One file at a time, please.");
    else choose(event.dataTransfer.files[0]);
  });
}

function choose(chosen) {
  const wrong = chosen && flaw(chosen);
  file = wrong ? undefined : chosen;
  say(one("choose-wrong"), wrong);
  one("file").value = "";
  one("drop").hidden = Boolean(file);
  one("chosen").hidden = !file;
  one("sample").hidden = Boolean(file);
  one("begin").disabled = !file;
  if (!file) return one("file").focus();
  one("file-name").textContent = file.name;
  one("file-size").textContent = bytes(file.size);
  one("import-said").textContent = `${file.name} is chosen.`;
  one("begin").focus();
}

function flaw(chosen) {
  if (!chosen.size) return `${chosen.name} is empty.`;
  if (/\.(xlsx?|ods|numbers)$/i.test(chosen.name)) return `${chosen.name} is a workbook. Save it as CSV first; this version reads CSV files.`;
  return undefined;
}

async function send() {
  const form = new FormData();
  form.append("entity_type", "contacts");
  form.append("import_options", JSON.stringify({ skip_duplicates: one("skip").checked, update_existing: one("update").checked }));
  form.append("file", file, file.name);
  one("choose").hidden = true;
  one("running").hidden = false;
  one("job-name").textContent = file.name;
  one("import-said").textContent = "The import begins.";
  draw({ phase: "Sending…", part: 0 });
  let job;
  try {
    job = await upload(ROUTE, form, (part) => draw({ phase: part < 1 ? "Sending…" : "Checking…", part: part < 1 ? part : undefined }));
  } catch (error) {
    restart();
    return say(one("choose-wrong"), error.message);
  }
  draw({ phase: "Waiting for its turn…" });
  follow(job);
}

/** Live where the server tells, by asking every second where it does not. */
function follow(job) {
  const { id } = job;
  const query = `subscription Progress($id: ID!) {\n  importProgress(id: $id) {\n    ${FIELDS.replaceAll(" ", "\n    ")}\n  }\n}`;
  one("watch").href = `/graphiql?${new URLSearchParams({ query, variables: JSON.stringify({ id }, null, 2) })}`;
  one("watch").hidden = false;
  let over = false;
  const settle = () => {
    if (!over) {
      over = true;
      finish(job.id);
    }
  };
  live.follow(query, {
    variables: () => ({ id }),
    next: (data) => {
      const state = data.importProgress;
      const { processed, total, succeeded, skipped, failed } = state;
      if (ENDED.includes(state.status.toLowerCase())) settle();
      else draw({ phase: phaseOf(state.status), part: total ? processed / total : undefined, processed, total, succeeded, skipped, failed, rate: state.ratePerSecond, left: state.secondsLeft });
    },
    done: settle,
    refused: () => poll(job.id, settle),
  });
}

async function poll(id, settle) {
  try {
    const job = await get(`${ROUTE}/${id}`);
    if (ENDED.includes(job.status)) return settle();
    draw(stateOf(job));
  } catch (error) {
    if (error.code !== "UNAVAILABLE") return fail(error.message);
  }
  setTimeout(() => poll(id, settle), 1000);
}

const stateOf = (job) => ({
  phase: phaseOf(job.status),
  part: job.total_rows ? job.processed_rows / job.total_rows : undefined,
  processed: job.processed_rows,
  total: job.total_rows,
  succeeded: job.successful_rows,
  skipped: job.skipped_rows,
  failed: job.failed_rows,
});

const phaseOf = (status) =>
  ({ pending: "Waiting for its turn…", checking: "Checking…", ready: "Checking…", processing: "Importing…", paused: "Paused" })[status.toLowerCase()] ?? status;

/** The final numbers, which are exact, and the rows that failed. */
async function finish(id, tries = 0) {
  let job;
  try {
    job = await get(`${ROUTE}/${id}`);
  } catch (error) {
    return fail(`The import has ended, but its result cannot be read: ${error.message}`);
  }
  // the job can be a moment ahead of the import
  if (!ENDED.includes(job.status) && tries < 20) return setTimeout(() => finish(id, tries + 1), 250);
  const good = job.status === "completed";
  draw({ ...stateOf(job), part: 1, phase: { completed: "Done", cancelled: "Cancelled" }[job.status] ?? "Failed", ended: good ? "done" : "failed" });
  const message = job.message ?? (job.errors.length && !job.total_rows ? job.errors[0].error : undefined);
  if (!good) say(one("job-wrong"), message ?? "The import did not end well; the server's log tells more.");
  one("job-errors").hidden = !job.errors.length;
  one("error-rows").replaceChildren(
    ...job.errors.slice(0, 10).map(({ row, error }) => element("li", "", element("span", "", `Row ${count(row)}`), element("span", "", error))),
  );
  one("another").hidden = false;
  one("import-said").textContent = `The import has ended: ${count(job.successful_rows)} imported, ${count(job.skipped_rows)} skipped, ${count(job.failed_rows)} failed.`;
}

function fail(message) {
  draw({ phase: "Failed", part: 1, ended: "failed" });
  say(one("job-wrong"), message);
  one("another").hidden = false;
}

function restart() {
  one("running").hidden = true;
  one("choose").hidden = false;
  one("watch").hidden = one("another").hidden = one("job-errors").hidden = true;
  say(one("job-wrong"));
  choose(undefined);
}

let quarter = 0;

function draw({ phase, part, processed, total, succeeded = 0, skipped = 0, failed = 0, rate, left, ended }) {
  const meter = one("meter");
  meter.className = `meter ${ended ?? (part === undefined ? "unsure" : "")}`;
  meter.firstElementChild.style.transform = part === undefined ? "" : `scaleX(${part})`;
  if (part === undefined) meter.removeAttribute("aria-valuenow");
  else meter.setAttribute("aria-valuenow", Math.round(part * 100));
  const isPart = part !== undefined && !ended;
  one("job-phase").textContent = isPart && part > 0 ? `${phase} ${Math.floor(part * 100)}%` : phase;
  const known = processed !== undefined;
  one("job-count").textContent = !known ? "" : total ? `${count(processed)} of ${rows(total)}` : rows(processed);
  one("job-pace").textContent = ended || !rate ? "" : [`${count(Math.round(rate))} a second`, remaining(left)].filter(Boolean).join(", ");
  one("n-succeeded").textContent = count(succeeded);
  one("n-skipped").textContent = count(skipped);
  one("n-failed").textContent = count(failed);
  one("n-failed").classList.toggle("some", failed > 0);
  // a screen reader is told of every quarter, not of every row
  const now = isPart && known ? Math.floor(part * 4) : 0;
  if (now > quarter) one("import-said").textContent = `${now * 25} percent imported.`;
  quarter = now;
}

function remaining(seconds) {
  if (!seconds || seconds < 1) return "";
  return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.ceil(seconds / 60)} min left`;
}
