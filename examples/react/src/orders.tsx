import { useStream } from "tailrace/react";

export function Orders() {
  const { events } = useStream<{ state: string }>({ topics: "orders.*", from: "last", keep: "last" });
  return (
    <ul>
      {events.map(({ topic, data }) => (
        <li key={topic}>
          {topic}: {data.state}
        </li>
      ))}
    </ul>
  );
}
