// The drop zone: gathers photos and folders, announces them, and sends each as a body of its own, so that
// neither the browser nor the page ever holds a file whole.
const AT_ONCE = 5; // browsers open six connections to a place: one is left for the rest of the page
const TRIES = 3;
const PAUSE_MS = 1000;
const SHOWN = 5;

async function below(entry, path, found, most) {
  if (found.length > most) return;
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    found.push({ path: path + file.name, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A hundred at a time, until none comes.
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return;
    for (const one of some) await below(one, path + entry.name + "/", found, most);
  }
}

function amount(bytes) {
  for (const [unit, step] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (bytes >= step) return `${(bytes / step).toFixed(1)} ${unit}`;
  }
  return `${bytes} bytes`;
}

function moment() {
  const two = (number) => String(number).padStart(2, "0");
  const now = new Date();
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  return `photos-${day}-${two(now.getHours())}${two(now.getMinutes())}`;
}

export default {
  props: { mostFiles: Number, atMost: String },
  template: `
    <section class="zone" :class="{ over, busy: sending }" aria-label="Drop zone">
      <div v-show="!sending" class="zone-ask">
        <p class="zone-title">Drag photos, or a folder of photos, anywhere into this page</p>
        <div class="bar-row">
          <button type="button" class="plain" @click="$refs.photos.click()">Choose photos</button>
          <button type="button" class="plain" @click="$refs.folder.click()">Choose a folder</button>
        </div>
        <input ref="photos" type="file" multiple hidden aria-label="Photos" @change="picked">
        <input ref="folder" type="file" webkitdirectory hidden aria-label="Folder" @change="picked">
        <p class="faint">{{ atMost }}</p>
      </div>
      <form v-if="files.length && !sending" class="zone-ready" @submit.prevent="send">
        <p><strong>{{ plan.files.toLocaleString("en") }}<template v-if="plan.files !== files.length">
          of {{ files.length.toLocaleString("en") }}</template> {{ files.length === 1 ? "file" : "files" }}</strong>,
          {{ amount(plan.size) }}</p>
        <label><span>Name of the folder</span>
          <input ref="name" class="plain" v-model="name" maxlength="200" autocomplete="off" spellcheck="false"></label>
        <div class="bar-row">
          <button type="submit" class="plain strong">Put into the inbox</button>
          <button type="button" class="plain" @click="clear">Forget them</button>
        </div>
      </form>
      <div v-if="sending" class="zone-sending">
        <p><strong>{{ name }}</strong>: {{ done.toLocaleString("en") }} of {{ taken.length.toLocaleString("en") }} files,
          {{ amount(come) }} of {{ amount(toSend) }}</p>
        <progress :value="come" :max="toSend || 1" aria-label="Upload"></progress>
        <ul>
          <li v-for="one in running" :key="one.number"><span>{{ one.path }}</span>
            <progress :value="one.loaded" :max="one.size || 1" :aria-label="one.path"></progress></li>
        </ul>
        <button type="button" class="plain" @click="cancel">Cancel</button>
      </div>
      <div role="status" class="zone-said">
        <p v-if="said" class="box" :class="{ trouble }">{{ said }}</p>
        <div v-if="leftOut.length" class="box">
          <p>{{ leftOut.length === 1 ? "One file" : leftOut.length.toLocaleString("en") + " files" }}
            {{ files.length ? "will be" : leftOut.length === 1 ? "was" : "were" }} left out:</p>
          <ul><li v-for="[path, why] in leftOut.slice(0, shown)"><strong>{{ path }}</strong>: {{ why }}</li></ul>
          <p v-if="leftOut.length > shown">and {{ (leftOut.length - shown).toLocaleString("en") }} more.</p>
        </div>
      </div>
    </section>`,
  data() {
    return {
      over: false, sending: false, files: [], name: "", said: "", trouble: false, leftOut: [],
      taken: [], running: [], done: 0, come: 0, toSend: 0, shown: SHOWN, plan: { files: 0, size: 0 },
    };
  },
  mounted() {
    this.stopping = new AbortController();
    const wanted = { signal: this.stopping.signal };
    let inside = 0;
    const carries = (event) => event.dataTransfer?.types.includes("Files");
    const on = (name, act) =>
      window.addEventListener(name, (event) => {
        if (!carries(event)) return;
        event.preventDefault(); // else the browser would open the file in the page's place
        act(event);
      }, wanted);
    on("dragenter", () => { inside += 1; this.over = !this.sending; });
    on("dragleave", () => { inside -= 1; if (inside <= 0) this.over = false; });
    on("dragover", (event) => { event.dataTransfer.dropEffect = this.sending ? "none" : "copy"; });
    on("drop", (event) => { inside = 0; this.over = false; this.dropped(event); });
    window.addEventListener("beforeunload", (event) => { if (this.sending) event.preventDefault(); }, wanted);
    window.addEventListener("pagehide", () => this.forget(), wanted);
  },
  beforeUnmount() {
    this.stopping.abort();
    this.stop();
    this.forget();
  },
  methods: {
    amount,
    async dropped(event) {
      if (this.sending) return;
      // The items are gone after the first wait.
      const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
      const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
      const found = [];
      try {
        for (const one of entries) {
          if (one instanceof File) found.push({ path: one.name, file: one });
          else if (one) await below(one, "", found, this.mostFiles);
        }
      } catch (error) {
        this.tell(`Something among it could not be read: ${error.message}.`, true);
        return;
      }
      this.add(found);
    },
    picked(event) {
      const found = [...event.target.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
      event.target.value = "";
      this.add(found);
    },
    add(found) {
      if (!found.length) return this.tell("There is no file in it.", true);
      const files = [...this.files, ...found.map((one) => Object.freeze(one))];
      if (files.length > this.mostFiles) {
        const most = this.mostFiles.toLocaleString("en");
        return this.tell(`These are too many files: at most ${most} at a time. Drop a part of them first.`, true);
      }
      files.sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0));
      this.files = Object.freeze(files);
      this.tell("");
      this.name = this.top() || moment();
      this.plan = { files: files.length, size: files.reduce((sum, one) => sum + one.file.size, 0) };
      this.$nextTick(() => this.$refs.name?.focus());
      this.look();
    },
    paths() {
      const skipped = this.top() ? this.top().length + 1 : 0;
      return this.files.map((one) => one.path.slice(skipped).toWellFormed?.() ?? one.path.slice(skipped));
    },
    listed(paths) {
      const list = this.files.map((one, number) => [paths[number], one.file.size]);
      return JSON.stringify({ folder: this.name, files: list });
    },
    async look() {
      // What will be left out, before anything is sent; without an answer, sending says it.
      const files = this.files, paths = this.paths();
      const answer = await fetch("/drop/look", { method: "POST", body: this.listed(paths) }).catch(() => null);
      const text = await answer?.text().catch(() => null);
      if (!text || this.files !== files || this.sending || this.said) return;
      if (!answer.ok) return this.tell(text, true);
      this.plan = JSON.parse(text);
      this.tell("", false, this.plan.leftOut.map(([number, why]) => [paths[number], why]));
    },
    top() {
      // The one folder that all of them lie in, "" where there is none.
      const tops = new Set(this.files.map((one) => (one.path.includes("/") ? one.path.split("/")[0] : "")));
      return tops.size === 1 ? [...tops][0] : "";
    },
    tell(text, trouble = false, leftOut = []) {
      this.said = text;
      this.trouble = trouble;
      this.leftOut = leftOut;
    },
    clear() {
      this.files = [];
      this.tell("");
    },
    async send() {
      const paths = this.paths();
      Object.assign(this, { sending: true, running: [], taken: [], done: 0, come: 0, toSend: 0 });
      this.tell("");
      this.requests = new Set();
      this.cancelled = this.ended = false;
      let leftOut = [];
      try {
        const plan = await this.ask("POST", "/drop/begin", this.listed(paths));
        this.key = plan.key;
        leftOut = plan.leftOut.map(([number, why]) => [paths[number], why]);
        this.taken = Object.freeze(plan.files);
        this.toSend = plan.files.reduce((sum, number) => sum + this.files[number].file.size, 0);
        const next = plan.files.values();
        await Promise.all(Array.from({ length: AT_ONCE }, () => this.sendSome(next, paths)));
        const told = await this.ask("POST", `/drop/${this.key}/finish`);
        this.key = null;
        this.files = [];
        const moved = told.folder === plan.folder ? "" : ` There was one called ${plan.folder} already.`;
        const files = told.files === 1 ? "1 file" : `${told.files.toLocaleString("en")} files`;
        this.tell(`\u2713 ${told.folder} is in the inbox, with ${files}.${moved}`, false, leftOut);
        this.$emit("dropped");
      } catch (error) {
        this.ended = true;
        this.stop();
        this.forget();
        const said = this.cancelled ? "Cancelled: nothing was put into the inbox." : error.message;
        this.tell(said, !this.cancelled, leftOut);
      } finally {
        this.sending = false;
      }
    },
    async sendSome(next, paths) {
      for (const number of next) {
        const file = this.files[number].file;
        this.running.push({ number, path: paths[number], size: file.size, loaded: 0 });
        const shown = this.running.find((one) => one.number === number);
        await this.sendOne(number, file, shown);
        this.count(shown, file.size);
        this.running = this.running.filter((one) => one.number !== number);
        this.done += 1;
      }
    },
    async sendOne(number, file, shown) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await this.ask("PUT", `/drop/${this.key}/${number}`, file, (loaded) => this.count(shown, loaded));
          return;
        } catch (error) {
          this.count(shown, 0);
          if (this.ended || error.status || attempt >= TRIES) throw new Error(`${shown.path}: ${error.message}`);
          await new Promise((done) => setTimeout(done, attempt * PAUSE_MS));
        }
      }
    },
    count(shown, loaded) {
      const now = Math.min(loaded, shown.size);
      this.come += now - shown.loaded;
      shown.loaded = now;
    },
    ask(method, path, body, told) {
      return new Promise((done, failed) => {
        const request = new XMLHttpRequest();
        if (this.ended) return failed(new Error("it is not sent any more."));
        const fail = (text, status) => failed(Object.assign(new Error(text), { status }));
        request.open(method, path);
        if (body instanceof Blob) request.setRequestHeader("Content-Type", "application/octet-stream");
        if (told) request.upload.onprogress = (event) => told(event.loaded);
        request.onloadend = () => {
          this.requests.delete(request);
          if (request.status === 200) done(JSON.parse(request.responseText));
          else if (request.status === 0) fail("it could not be sent. Is the page still served, and the file still there?");
          else fail(request.responseText.trim() || `The page answered ${request.status}.`, request.status);
        };
        this.requests.add(request);
        request.send(body);
      });
    },
    cancel() {
      this.cancelled = this.ended = true;
      this.stop();
    },
    stop() {
      for (const request of [...(this.requests ?? [])]) request.abort();
    },
    forget() {
      if (this.key) fetch(`/drop/${this.key}`, { method: "DELETE", keepalive: true }).catch(() => {});
      this.key = null;
    },
  },
};
