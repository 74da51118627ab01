import { Component } from "@angular/core";
import { streamSignal } from "tailrace/angular";

interface Order {
  state: string;
}

@Component({
  selector: "app-orders",
  template: `
    <ul>
      @for (event of orders().events; track event.topic) {
        <li>{{ event.topic }}: {{ event.data.state }}</li>
      }
    </ul>
  `,
})
export class Orders {
  protected readonly orders = streamSignal<Order>({ topics: "orders.*", from: "last", keep: "last" });
}
