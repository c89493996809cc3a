// Before ReDoc is loaded: let the style sheets that it adds carry the nonce of the page, and replace the logo
// that it would load from another host.
(() => {
  const { nonce, icon } = document.getElementById("redoc").dataset;
  const createElement = document.createElement;
  document.createElement = function (name, ...options) {
    const element = createElement.call(this, name, ...options);
    if (String(name).toLowerCase() === "style") element.nonce = nonce;
    return element;
  };
  const isForeign = (address) => String(address).startsWith("https:");
  const setAttribute = HTMLImageElement.prototype.setAttribute;
  HTMLImageElement.prototype.setAttribute = function (name, value) {
    setAttribute.call(this, name, name === "src" && isForeign(value) ? icon : value);
  };
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  Object.defineProperty(HTMLImageElement.prototype, "src", {
    get,
    set(value) { set.call(this, isForeign(value) ? icon : value); },
  });
})();
