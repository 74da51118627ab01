/** Who asks, and for which tenant. The token is in memory; in sessionStorage only where its owner said so. */
import { setClock } from "./clock.js";
import { createClient } from "./tailrace.js";

const KEPT = "tailrace console";
const TENANT_KEPT = "tailrace console tenant";

export class Session extends EventTarget {
  /** Where the edges are: the page's own address, whatever path a proxy puts before it. */
  base = location.origin + location.pathname.replace(/\/console\/?$/, "");
  tenant = "default";
  /** @type {string} */
  #token = "";
  remembered = false;
  /** @type {import("./tailrace.js").Client} */
  client;
  /** What this edge says of itself. */
  settings = { auth: "none", faults: false, heartbeat: 15 };

  constructor() {
    super();
    const kept = readKept();
    // A new tab opens on the tenant that was used last.
    this.tenant = readTenant() ?? kept.tenant ?? localStorage.getItem(TENANT_KEPT) ?? this.tenant;
    localStorage.setItem(TENANT_KEPT, this.tenant);
    this.#token = kept.token ?? "";
    this.remembered = Boolean(this.#token);
    this.client = this.#makeClient();
  }

  /** Whether a token is set. */
  get signed() {
    return this.#token !== "";
  }

  /** For who keeps it as it is. */
  readToken() {
    return this.#token;
  }

  /** Asks the edge what it wants. */
  async begin() {
    const answer = await fetch(`${this.base}/console/settings.json`, { cache: "no-store" });
    setClock(answer);
    if (answer.ok) this.settings = await answer.json();
  }

  /**
   * Goes on as somebody else. All streams end, and views begin anew on the event `change`.
   *
   * @param {{tenant: string, token: string, remember: boolean}} who `token` may be empty
   */
  change({ tenant, token, remember }) {
    if (!/^[\x21-\x7e]*$/.test(token)) throw new Error("A token is printable ASCII, without spaces.");
    const before = { tenant: this.tenant, token: this.#token };
    this.tenant = tenant;
    this.#token = token;
    let client;
    try {
      client = this.#makeClient();
    } catch (error) {
      this.tenant = before.tenant;
      this.#token = before.token;
      throw error;
    }
    this.client.dispose();
    this.client = client;
    this.remembered = remember && token !== "";
    localStorage.setItem(TENANT_KEPT, tenant);
    sessionStorage.setItem(KEPT, JSON.stringify(this.remembered ? { tenant, token } : { tenant }));
    this.dispatchEvent(new Event("change"));
  }

  /** Forgets the token, also where it was kept. */
  forget() {
    this.change({ tenant: this.tenant, token: "", remember: false });
  }

  /**
   * @template T
   * @param {string} path below the tenant
   * @param {import("./tailrace.js").CallOptions} [options]
   * @returns {Promise<T>}
   */
  call(path, options) {
    return this.client.call(path, options);
  }

  #makeClient() {
    const token = this.#token;
    // Without a token, a cookie may say who it is.
    return createClient({ url: this.base, tenant: this.tenant, fetch: fetchTimed, ...(token && { getToken: () => token }) });
  }
}

/** @type {typeof fetch} */
async function fetchTimed(input, options) {
  const answer = await fetch(input, options);
  setClock(answer);
  return answer;
}

/** @returns {{tenant?: string, token?: string}} */
function readKept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

/** The tenant may stand in the address, so that a view can be passed on; a token never does. */
export function readTenant() {
  const tenant = new URLSearchParams(location.hash.split("?")[1] ?? "").get("tenant");
  return tenant !== null && /^[a-z0-9][a-z0-9_-]{0,62}$/.test(tenant) ? tenant : null;
}
