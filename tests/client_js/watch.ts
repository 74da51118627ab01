// Watches a job and a text on a real edge, and prints what becomes of them.
import { createClient, type TailraceError, type Text } from "../../libs/client-js/src/index.ts";

const { url, job: id, text: topic } = JSON.parse(process.argv[2] as string) as { url: string; job: string; text?: string };
const client = createClient({ url, tenant: "acme" });
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
if (topic) {
  let last: Text | undefined;
  for await (const text of client.text(topic)) last = text;
  say(last);
} else {
  const job = client.job(id, { user: "7" });
  const off = job.on("progress", (state) => {
    if (state.done !== 3) return;
    off();
    void job.cancel();
  });
  say((await job.finished()).status);
  // A client that comes long after the end.
  say((await createClient({ url, tenant: "acme" }).job(id, { user: "7" }).finished()).status);
  say((await client.last("users.7.>")).events.map((event) => [event.topic, event.type]));
  say(await job.cancel().catch((error: unknown) => [(error as TailraceError).code, (error as TailraceError).status]));
}
client.dispose();
