// The order form is sent and swapped by htmx. What is left to do is to say when no
// answer came: the form is still there then, with the key that makes it the same order.

const LOST = "No answer came. Please send it again: the order is placed once, whichever of the two arrived.";

export function watchOrders(choose) {
  document.addEventListener("htmx:error", sayLost);
  document.addEventListener("htmx:response:error", (event) => {
    if (event.detail.ctx.response.status !== 422) sayLost();
  });
  // What the server sent is what the form shows, also where something was typed.
  document.addEventListener("htmx:after:swap", () => form().reset());
  form().addEventListener("change", ({ target }) => {
    if (target.name === "symbol") choose(target.value);
  });
}

const form = () => document.getElementById("order");

function sayLost() {
  const result = document.getElementById("result");
  result.dataset.status = "lost";
  result.textContent = LOST;
  document.getElementById("send").textContent = "Send again";
}
