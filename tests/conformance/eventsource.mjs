// Reads the stream at argv[2] with Node's own EventSource, listening for the types that follow, and prints what comes
// as lines of JSON. Ends when EventSource gives up for good.
const [url, ...types] = process.argv.slice(2);
const source = new EventSource(url);
for (const type of types) {
  source.addEventListener(type, ({ lastEventId, type, data }) => console.log(JSON.stringify([lastEventId, type, data])));
}
// The timer of a reconnect does not keep the process alive by itself.
const alive = setInterval(() => {}, 60_000);
source.addEventListener("error", () => {
  if (source.readyState === EventSource.CLOSED) clearInterval(alive);
});
