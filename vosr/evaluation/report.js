for (const select of document.querySelectorAll(".choose select"))
  select.addEventListener("change", () => {
    const figure = select.closest("figure"), side = select.dataset.side, option = select.selectedOptions[0];
    const image = figure.querySelector(side === "left" ? ".before" : ".after");
    image.src = option.value;
    image.alt = image.alt.replace(/, [^,]*$/, ", " + option.text);
    figure.querySelector(".stage ." + side).textContent = option.text;
  });
