import { scan } from "rxjs";
import { createClient } from "tailrace";
import { connectSSEWithEvents } from "tailrace/rxjs";
import { watchJob } from "./job.ts";

const URL = "http://localhost:8080/v1/acme/events?topic=orders.*&from=last";
const client = createClient({ url: "http://localhost:8080", tenant: "acme" });
const find = <E extends Element>(selector: string) => document.querySelector<E>(selector) as E;

const job = watchJob(client, "import-42").subscribe(({ state, link }) => {
  find<HTMLProgressElement>("progress").value = state?.percent ?? 0;
  find("[role=status]").textContent = `${state?.status ?? "unknown"}, ${link}`;
});

const orders = connectSSEWithEvents<{ message: { state: string } }>(URL, ["message"])
  .pipe(scan((newest, { topic, data }) => newest.set(topic, data.state), new Map<string, string>()))
  .subscribe((newest) => {
    const rows = [...newest].map(([topic, state]) => {
      const row = document.createElement("li");
      row.textContent = `${topic}: ${state}`;
      return row;
    });
    find("ul").replaceChildren(...rows);
  });

find<HTMLButtonElement>("#cancel").onclick = () => client.job("import-42").cancel();
find<HTMLButtonElement>("#hide").onclick = () => {
  job.unsubscribe();
  orders.unsubscribe();
};
