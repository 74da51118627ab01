// What all programs here have in common: they read the stream at URL, print each event as a line of JSON, [id, type,
// data], and come back when the stream breaks. Once the edge says that the stream is finished, they are.
export const URL = process.argv[2];

// Listeners of EventSource need names.
export const TYPES = ["tailrace", "message", "progress", "invoice.paid", "complete"];

export function report(id, type, data) {
  console.log(JSON.stringify([id ?? "", type || "message", data]));
  // As text: a client that garbles it shall go on. The process ends when all is printed.
  if (type === "tailrace" && data.includes('"kind":"closing"')) process.stdout.write("", () => process.exit(0));
}

export function listen(source) {
  for (const type of TYPES) {
    source.addEventListener(type, (event) => report(event.lastEventId, event.type, event.data));
  }
}

// For clients whose timer of a reconnect does not keep the process alive by itself.
export function stayAlive() {
  setInterval(() => {}, 60_000);
}
