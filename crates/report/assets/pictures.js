"use strict";
// Pictures from hexadecimal pixels: grey, or blue for negative and orange for positive weights.
(() => {
  let drawn = [];
  const colour = (name) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  };
  const draw = (canvas, picture) => {
    const count = picture.pixels.length / 2;
    canvas.width = picture.width;
    canvas.height = count / picture.width;
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const [low, middle, high] = [colour("--s0"), colour("--card"), colour("--s1")];
    for (let index = 0; index < count; index++) {
      const value = parseInt(picture.pixels.slice(2 * index, 2 * index + 2), 16);
      const share = (value - 127.5) / 127.5;
      const end = share < 0 ? low : high;
      for (let channel = 0; channel < 3; channel++) {
        const signed = middle[channel] + (end[channel] - middle[channel]) * Math.abs(share);
        image.data[4 * index + channel] = picture.signed ? signed : value;
      }
      image.data[4 * index + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  };
  const drawAll = () => drawn.forEach(([canvas, picture]) => draw(canvas, picture));
  const show = () => {
    drawn = drawn.filter(([canvas]) => canvas.isConnected);
    for (const list of document.querySelectorAll("[data-pictures]:empty")) {
      const pictures = JSON.parse(document.getElementById(list.dataset.pictures).textContent);
      for (const picture of pictures) {
        const canvas = document.createElement("canvas");
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", picture.caption);
        const caption = document.createElement("figcaption");
        caption.textContent = picture.caption;
        const figure = document.createElement("figure");
        figure.append(canvas, caption);
        const item = document.createElement("li");
        item.append(figure);
        list.append(item);
        drawn.push([canvas, picture]);
      }
    }
    drawAll();
  };
  addEventListener("themechange", drawAll);
  addEventListener("contentchange", show);
  show();
})();
