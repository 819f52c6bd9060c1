/* The page of the API: the library draws the description, and requests carry the token of the page. */

const root = document.getElementById("api-docs");

function cookie(name) {
  const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

window.SwaggerUIBundle({
  url: root.dataset.schema,
  domNode: root,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  requestInterceptor(request) {
    // A session needs the token of forms; a request with a token of its own does not mind.
    if (request.method && request.method !== "GET") {
      request.headers["X-CSRFToken"] = cookie("csrftoken");
    }
    return request;
  },
});
