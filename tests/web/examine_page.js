/* Evaluated in a page; answers JSON: a list of complaints for each kind of defect. */
() => {
  const LEAST_CONTRAST = 4.5;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const painter = canvas.getContext("2d", { willReadFrequently: true });
  const colors = new Map();

  /** Any CSS color as [red, green, blue, alpha], 0 to 255 and 0 to 1; the canvas converts from oklch. */
  function parse(color) {
    if (!colors.has(color)) {
      painter.clearRect(0, 0, 1, 1);
      painter.fillStyle = color;
      painter.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = painter.getImageData(0, 0, 1, 1).data;
      colors.set(color, [red, green, blue, alpha / 255]);
    }
    return colors.get(color);
  }

  function over([r1, g1, b1, a1], [r2, g2, b2]) {
    return [r1 * a1 + r2 * (1 - a1), g1 * a1 + g2 * (1 - a1), b1 * a1 + b2 * (1 - a1), 1];
  }

  /** What is painted behind the text of an element; gradients and pictures are not considered. */
  function background(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = parse(getComputedStyle(at).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] === 1) break;
    }
    const page = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reduceRight((below, layer) => over(layer, below), page);
  }

  function luminance([red, green, blue]) {
    const [r, g, b] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function opacity(element) {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
  }

  function contrast(element) {
    const behind = background(element);
    const [red, green, blue, alpha] = parse(getComputedStyle(element).color);
    const text = over([red, green, blue, alpha * opacity(element)], behind);
    const [dark, light] = [luminance(text), luminance(behind)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }

  function isSeen(element) {
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    if (element.closest(".visually-hidden, .skip-link, option")) return false;
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1;
  }

  function describe(element) {
    const name = element.tagName.toLowerCase() + (element.className && typeof element.className === "string"
      ? `.${element.className.trim().split(/\s+/).join(".")}` : "");
    return `<${name}> "${(element.value ?? element.textContent).trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  }

  const complaints = { "policy violation": window.policyViolations ?? [], overflow: [], contrast: [], naming: [] };

  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth > width) {
    const wide = [...document.body.querySelectorAll("*")].filter((element) =>
      isSeen(element) && element.getBoundingClientRect().right > width + 1 && !element.closest(".table-wrap, .tabs, pre, .chart-canvas"));
    complaints.overflow.push(`${document.scrollingElement.scrollWidth} > ${width}: ${wide.slice(0, 5).map(describe).join(", ")}`);
  }

  const holders = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && !parent.closest("script, style, svg, .chart-canvas > :not(.chart-status)")) holders.add(parent);
  }
  for (const control of document.querySelectorAll("input:not([type=hidden], [type=checkbox], [type=radio]), select, textarea")) holders.add(control);
  for (const holder of holders) {
    if (!isSeen(holder)) continue;
    const ratio = contrast(holder);
    if (ratio < LEAST_CONTRAST) complaints.contrast.push(`${ratio.toFixed(2)} ${describe(holder)}`);
  }

  const titles = document.querySelectorAll("h1");
  if (titles.length !== 1) complaints.naming.push(`${titles.length} h1 on the page`);
  for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!control.labels?.length && !control.ariaLabel && !control.getAttribute("aria-labelledby")) {
      complaints.naming.push(`no label: ${control.outerHTML.slice(0, 80)}`);
    }
  }
  for (const control of document.querySelectorAll("a, button")) {
    const named = control.textContent.trim() || control.ariaLabel || control.querySelector("[aria-label], img[alt]:not([alt=''])");
    if (!named) complaints.naming.push(`no name: ${control.outerHTML.slice(0, 80)}`);
  }
  for (const picture of document.querySelectorAll("img:not([alt])")) complaints.naming.push(`no alt: ${picture.src}`);

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((value, index) => ids.indexOf(value) !== index))) complaints.naming.push(`id twice: ${id}`);
  return JSON.stringify(complaints);
}
