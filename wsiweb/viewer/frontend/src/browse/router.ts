/** Going from one page to another without loading anew. */

import { EVERYTHING, hrefOf, type Route, routeOf } from "./routes.ts";

/** Goes from page to page, and tells who wants to know. */
export class Router extends EventTarget {
  route: Route = routeOf(new URL(location.href));
  /** The address of the list as it was left, with its filters, for the way back. */
  list = hrefOf(this.route.page === "list" ? this.route : { page: "list", query: EVERYTHING });

  constructor() {
    super();
    history.scrollRestoration = "manual"; // by the pages: what is scrolled to has to be there first
    addEventListener("popstate", () => this.#moved());
    document.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Go to an address; `replace` where the one before is not worth going back to. */
  go(href: string, { replace = false }: { replace?: boolean } = {}): void {
    if (href === location.pathname + location.search) return;
    if (replace) history.replaceState(null, "", href);
    else history.pushState(null, "", href);
    this.#moved();
  }

  /** Write another address for what is shown already, and tell nobody. */
  note(href: string): void {
    history.replaceState(null, "", href);
  }

  #moved(): void {
    this.route = routeOf(new URL(location.href));
    if (this.route.page === "list") this.list = hrefOf(this.route);
    this.dispatchEvent(new Event("move"));
  }

  /** Follow plain clicks on our own links here; all others are the browser's. */
  #clicked(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event
      .composedPath()
      .find((one): one is HTMLAnchorElement => one instanceof HTMLAnchorElement);
    if (!link || link.target || link.hasAttribute("download")) return;
    const address = new URL(link.href, location.href);
    if (address.origin !== location.origin || address.hash) return;
    if (routeOf(address).page === "nowhere") return;
    event.preventDefault();
    this.go(address.pathname + address.search);
  }
}

export const router = new Router();
