// Follows a stream as the test says, and prints what it gets: [id, data] of events, {link}, {gap}; nothing else.
import { createClient, type ClientOptions, type StreamOptions } from "../../libs/client-js/src/index.ts";

interface Wanted extends ClientOptions {
  token?: string;
  count: number;
  stream: StreamOptions;
}

const { token, count, stream, ...options } = JSON.parse(process.argv[2] as string) as Wanted;
const client = createClient({ ...options, ...(token && { getToken: () => token }) });
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
const events = client.stream(stream);
events.on("link", (link) => say({ link }));
let left = count;
for await (const item of events) {
  say(item.kind === "event" ? [item.id, item.type, item.data] : item);
  if (--left === 0) break;
}
client.dispose();
