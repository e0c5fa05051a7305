// What is wrong on a drawn page, as far as can be measured. The functions run in the browser and can use nothing from here.

// recordCanvasText notes where charts write on their canvas: axes are no elements of the page.
export function recordCanvasText() {
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  Object.assign(CanvasRenderingContext2D.prototype, {
    clearRect(...box) {
      this.canvas.written = [];
      return clearRect.apply(this, box);
    },
    fillText(text, x, y, ...rest) {
      const { width, actualBoundingBoxLeft: left, actualBoundingBoxAscent: ascent, actualBoundingBoxDescent: descent } = this.measureText(text);
      const corners = [[x - left, y - ascent], [x - left + width, y + descent]].map(([px, py]) => this.getTransform().transformPoint(new DOMPoint(px, py)));
      (this.canvas.written ??= []).push({ text, corners: corners.map((p) => [p.x, p.y]) });
      return fillText.call(this, text, x, y, ...rest);
    },
  });
}

// panelsOnPage tells where panels are, a little within their borders.
export function panelsOnPage() {
  return [...document.querySelectorAll('[data-viz-panel-key]')].map((panel) => {
    const { left, top, width, height } = panel.getBoundingClientRect();
    return {
      title: panel.querySelector('h2')?.textContent ?? panel.dataset.vizPanelKey, left: Math.round(left) + 4, top: Math.round(top + scrollY) + 4,
      width: Math.round(width) - 8, height: Math.round(height) - 8,
    };
  });
}

// faultsOnPage returns a line for each fault.
export function faultsOnPage() {
  const faults = [...document.querySelectorAll('[data-fault]')].map((e) => e.textContent);
  const panels = [...document.querySelectorAll('[data-viz-panel-key]')];
  if (!panels.length) faults.push('there are no panels');
  for (const panel of panels) {
    const title = panel.querySelector('h2')?.textContent || panel.dataset.vizPanelKey;
    const add = (text) => faults.push(`panel "${title}": ${text}`);
    if (panel.querySelector('[data-testid*="Panel status error"], [role="alert"]')) add('error');
    if (panel.querySelector('[data-nodata]') || /\bno data\b/i.test(panel.innerText)) add('no data');
    if ([...panel.querySelectorAll('h2')].some(cut)) add('its title is cut');
    [...panel.querySelectorAll('div, span')].filter(isLabel).filter(cut).forEach((e) => add(`"${e.textContent}" is cut`));
    const texts = [...written(panel), ...drawn(panel)];
    if (!texts.length) add('there is no text in it at all');
    overlaps(texts).forEach(([a, b]) => add(`"${a.text}" and "${b.text}" overlap`));
    const frame = panel.getBoundingClientRect();
    // The library itself lets a time axis' last mark end at the canvas' rim.
    texts.filter(({ box, canvas }) => box.left < frame.left - 1 || (!canvas && box.right > frame.right + 1)).forEach(({ text }) => add(`"${text}" reaches out of it`));
  }
  const top = [...document.querySelectorAll('main > header, main > div > :first-child')].flatMap(written);
  overlaps(top).forEach(([a, b]) => faults.push(`at the top, "${a.text}" and "${b.text}" overlap`));
  return faults;

  // isLabel: a text of its own, that shows by an ellipsis that it is cut. A table's cells may be: one can draw them wider.
  function isLabel(element) {
    return !element.children.length && element.textContent.trim() && getComputedStyle(element).textOverflow === 'ellipsis' && !element.closest('[role="grid"]');
  }

  // cut tells whether not all of a line fits: the browser gives one with an ellipsis two boxes, and rounds widths.
  function cut(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    return element.scrollWidth > element.clientWidth || range.getClientRects().length > 1;
  }

  // written are the texts of elements, as far as they are not clipped away.
  function written(root) {
    const texts = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (!node.data.trim() || !node.parentElement.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const rect of range.getClientRects()) {
        const box = clipped(rect, node.parentElement, root);
        if (box) texts.push({ text: node.data.trim(), node, box });
      }
    }
    return texts;
  }

  function clipped({ left, top, right, bottom }, element, root) {
    for (let e = element; e && e !== root.parentElement; e = e.parentElement) {
      if (getComputedStyle(e).overflowX === 'visible') continue;
      const clip = e.getBoundingClientRect();
      [left, top, right, bottom] = [Math.max(left, clip.left), Math.max(top, clip.top), Math.min(right, clip.right), Math.min(bottom, clip.bottom)];
    }
    return right - left > 1 && bottom - top > 1 ? { left, top, right, bottom } : null;
  }

  // drawn are the texts on canvases.
  function drawn(root) {
    return [...root.querySelectorAll('canvas')].flatMap((canvas) => {
      const frame = canvas.getBoundingClientRect();
      const scale = frame.width / canvas.width;
      return (canvas.written ?? []).filter(({ text }) => text.trim()).map(({ text, corners: [[x0, y0], [x1, y1]] }) => ({
        text, canvas, box: {
          left: frame.left + Math.min(x0, x1) * scale, right: frame.left + Math.max(x0, x1) * scale,
          top: frame.top + Math.min(y0, y1) * scale, bottom: frame.top + Math.max(y0, y1) * scale,
        },
      }));
    });
  }

  // overlaps are pairs that share more than a rim: lines of text stand close, and their boxes are taller than their letters.
  function overlaps(texts) {
    const pairs = [];
    texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => {
      if (a.node && a.node === b.node) return; // its lines, or what it is without an ellipsis
      const width = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const height = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (width > 2 && height > 0.35 * Math.min(a.box.bottom - a.box.top, b.box.bottom - b.box.top)) pairs.push([a, b]);
    }));
    return pairs;
  }
}
