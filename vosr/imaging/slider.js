for (const range of document.querySelectorAll(".stage input"))
  range.addEventListener("input", () => range.parentElement.style.setProperty("--at", range.value + "%"));
